// The mail server of email-ext, which its configuration as code does not reach under every schema.
import hudson.plugins.emailext.ExtendedEmailPublisherDescriptor
import jenkins.model.Jenkins

def mail = Jenkins.get().getDescriptorByType(ExtendedEmailPublisherDescriptor)
mail.mailAccount.smtpHost = System.getenv('MAIL_HOST') ?: 'mail'
mail.mailAccount.smtpPort = System.getenv('MAIL_PORT') ?: '1025'
mail.save()
