// The agent that trains, and its secret where only the agent can read it.
import hudson.model.Node
import hudson.slaves.DumbSlave
import hudson.slaves.JNLPLauncher
import hudson.slaves.RetentionStrategy
import jenkins.model.Jenkins

def name = 'docker'
def jenkins = Jenkins.get()
if (jenkins.getNode(name) == null) {
  def launcher = new JNLPLauncher(false)
  launcher.webSocket = true
  def agent = new DumbSlave(name, '/var/lib/jenkins-agent', launcher)
  agent.numExecutors = 4
  agent.labelString = 'docker linux'
  agent.mode = Node.Mode.EXCLUSIVE
  agent.retentionStrategy = new RetentionStrategy.Always()
  jenkins.addNode(agent)
}
def folder = new File('/run/agent')
if (folder.directory) {
  def secret = new File(folder, 'secret')
  secret.text = jenkins.getComputer(name).jnlpMac
  secret.setReadable(true, false) // the volume is mounted in the agent alone, under another uid
}
