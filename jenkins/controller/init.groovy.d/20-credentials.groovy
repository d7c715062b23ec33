// Credentials from files in /run/secrets/credentials: ID.token is a secret text, ID.key a private
// SSH key of the user git. What a file says wins over what was changed by hand.
import com.cloudbees.jenkins.plugins.sshcredentials.impl.BasicSSHUserPrivateKey
import com.cloudbees.plugins.credentials.CredentialsScope
import com.cloudbees.plugins.credentials.SystemCredentialsProvider
import hudson.util.Secret
import org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl

def provider = SystemCredentialsProvider.instance
(new File('/run/secrets/credentials').listFiles() ?: []).each { file ->
  def id = file.name.replaceFirst(/\.(token|key)$/, '')
  def made = null
  if (file.name.endsWith('.token')) {
    made = new StringCredentialsImpl(CredentialsScope.GLOBAL, id, '', Secret.fromString(file.text.trim()))
  } else if (file.name.endsWith('.key')) {
    def key = new BasicSSHUserPrivateKey.DirectEntryPrivateKeySource(file.text)
    made = new BasicSSHUserPrivateKey(CredentialsScope.GLOBAL, id, 'git', key, null, '')
  }
  if (made != null) {
    provider.credentials.removeAll { it.id == id }
    provider.credentials.add(made)
  }
}
provider.save()
