import { type Stack, Validations } from 'aws-cdk-lib';
import type { Config } from '#domain/config';
import { documentName } from '#domain/naming';
import type { ControlStack } from './control-stack.ts';
import type { NodesStack } from './nodes-stack.ts';
import type { SchedulesStack } from './schedules-stack.ts';
import type { VaultStack } from './vault-stack.ts';

const state = 'holdfast-vault:ExportsOutputFnGetAttState1C20CC9AArnF70626CA';
const vault = 'holdfast-vault:ExportsOutputFnGetAttVault23237E5BArn4BB0BF11';
const here = '<AWS::Region>:<AWS::AccountId>';
const executionsOf = (machine: string): string =>
  `arn:<AWS::Partition>:states:${here}:execution:{"Fn::Select":[6,{"Fn::Split":[":",{"Ref":"${machine}"}]}]}:*`;

const allFor = (reason: string, resources: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(resources.map((resource) => [resource, reason]));

/** Each stack's wildcards by the exact resource, with the reason why nothing narrower can be said. */
const control: Readonly<Record<string, string>> = {
  '*': 'X-Ray, the delivery of vended logs, Run Command (describe, list, cancel) and task tokens know no resource. What is sent is limited by document and by instance tag.',
  [`${state}/runs/*`]: "The keys below it are runs' names, known only when they begin.",
  [`${state}/answers/*`]: 'Answers that nodes of every system have handed over; one verb reads them.',
  [`${state}/locks/*`]: 'One lock per system; a verb serves all systems.',
  [`${vault}/catalog/*`]: 'One manifest per backup, named by its moment; a verb serves all systems.',
  [`${vault}/backups/*`]: 'Artifacts of every system: committing tags them, the undo deletes what was not committed.',
  [`${vault}/backups/*/upgrades/*`]: 'What the nodes of any system hand to each other during an upgrade.',
  [`${vault}/installers/*`]: 'Installers of every system: a run opens one version to nodes, by its tag, and closes it.',
  [`arn:<AWS::Partition>:ec2:${here}:instance/*`]:
    'Narrowed by its condition to instances that carry the tag of a configured system.',
  [`arn:<AWS::Partition>:ssm:${here}:document/${documentName('')}*`]:
    'Version and hash of our own documents, which have one prefix; naming each would fill the policies of seven verbs.',
  ...allFor(
    "Whether a lock's owner lives is asked of its execution, whose name is not known before.",
    ['backup', 'restore', 'upgrade'].map(
      (machine) => `arn:<AWS::Partition>:states:${here}:execution:holdfast-${machine}:*`,
    ),
  ),
  [`arn:<AWS::Partition>:scheduler:${here}:schedule/holdfast/*`]:
    'Schedules of our own group: a policy has no room for the name of each.',
  ...allFor(
    'Executions of our own child machine, which a parent waits for and stops.',
    [
      'RunPhaseStateMachineB256421B',
      'BackupStateMachine79E7534B',
      'RestorePuppetStateMachine56F25DC8',
      'RestoreJujuStateMachineCFBAB9B9',
      'UpgradeJujuStateMachine0DC74E24',
      'UpgradePuppetStateMachine029EC314',
      'UndoStateMachine8D6DB4CF',
    ].map(executionsOf),
  ),
  [`arn:<AWS::Partition>:states:${here}:stateMachine:holdfast-*`]:
    'Machines of ours, whose executions people may list.',
  [`arn:<AWS::Partition>:states:${here}:execution:holdfast-*:*`]:
    'Executions of our machines, named when they begin, which people may look at and stop.',
  [`${state}/deployed/*`]: 'What measure-age notes of what is deployed, which people may read.',
  [`${state}/decisions/*`]: 'Decisions of people on any run, which two verbs read.',
  [`${state}/decisions/*/<aws:userid>.json`]:
    'The decision of one approver on any run: IAM puts their own id into the key.',
};

const schedules: Readonly<Record<string, string>> = allFor(
  "Versions of one function of ours: the scheduler's construct grants them all.",
  ['VerbmeasureageFunction002B177BArnF369B8CC', 'VerbjanitorFunction56EB2C5AArnC84DE53C'].map(
    (arn) => `holdfast-control:ExportsOutputFnGetAtt${arn}:*`,
  ),
);

const acknowledgeWildcards = (stack: Stack, reasons: Readonly<Record<string, string>>): void => {
  for (const [resource, reason] of Object.entries(reasons))
    Validations.of(stack).acknowledge({ id: `AwsSolutions::AwsSolutions-IAM5[Resource::${resource}]`, reason });
};

/** Findings of AwsSolutions that are meant to be, each with its exact id and the reason. */
export const acknowledgeFindings = (
  config: Config,
  stacks: {
    readonly storage: VaultStack;
    readonly nodes: NodesStack;
    readonly control: ControlStack;
    readonly schedules: SchedulesStack;
  },
): void => {
  Validations.of(stacks.storage).acknowledge({
    id: 'AwsSolutions::AwsSolutions-S1',
    reason:
      'Server access logs are delivered at best effort into one more bucket that would have to be kept as safe; who read a backup is told by CloudTrail data events, which docs/design.md recommends.',
  });
  acknowledgeWildcards(
    stacks.nodes,
    Object.fromEntries(
      Object.keys(config.systems).flatMap((system) => [
        [
          `${vault}/backups/${system}/*/<ec2:SourceInstanceARN>/*`,
          'A node writes below its own ARN in any backup of its system, whose ids are not known before.',
        ],
        ...['backups', 'installers'].map((prefix) => [
          `${vault}/${prefix}/${system}/*`,
          'Narrowed by its condition to versions that a run has opened to this very instance.',
        ]),
        [
          `${state}/answers/${system}/*`,
          'A node hands over answers to commands, whose ids are not known before; it can only write.',
        ],
      ]),
    ),
  );
  acknowledgeWildcards(stacks.control, control);
  acknowledgeWildcards(stacks.schedules, schedules);
  Validations.of(stacks.control).acknowledge({
    id: 'AwsSolutions::AwsSolutions-SQS3',
    reason: 'This queue is the dead-letter queue of the schedules and the rule; an alarm watches its depth.',
  });
};
