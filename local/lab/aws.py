"""The AWS CLI of a lab node, for three quarters of its CPU time: it is the real one, without the commands that it adds for services which no
document calls. A run starts it some twenty times."""

import gc
import sys
import types

# It ends before a collection would pay.
gc.disable()


class Absent(types.ModuleType):
    """A module whose every function does nothing."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return lambda *_, **__: None


for name in '''
    addexamples awslambda cloudformation cloudfront cloudsearch cloudsearchdomain cloudtrail cloudwatch codeartifact codecommit codedeploy
    codedeploy.codedeploy configservice configservice.getstatus configservice.putconfigurationrecorder configservice.rename_cmd
    configservice.subscribe datapipeline dlm dlm.dlm dynamodb ecr ecr_public ecs eks emr emr.emr emrcontainers gamelift history iamvirtmfa iot
    iot_data kinesis kms logs mturk putmetricdata quicksight rds rekognition route53 sagemaker servicecatalog sessendemail
    sessionmanager signin sms_voice socialmessaging translate
'''.split():
    sys.modules[f'awscli.customizations.{name}'] = Absent(name)

import awscli.clidriver  # noqa: E402

sys.exit(awscli.clidriver.main())
