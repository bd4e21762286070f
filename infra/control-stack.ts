import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { Config } from '#domain/config';
import { pascal, type StateMachineName, stateMachineNames, undoneMachines } from '#domain/naming';
import { contractOf, type Verb, verbNames } from '#lambdas/verbs';
import type { Machines } from './alarms.ts';
import { grantRow } from './grants.ts';
import { Machine } from './machine.ts';
import { Notifications } from './notifications.ts';
import { addPeople } from './people.ts';
import type { VaultStack } from './vault-stack.ts';
import { VerbFunction } from './verb.ts';

/** Returns a function that makes something for a name when it is first asked for it. */
const once = <Name extends string, Made>(make: (name: Name) => Made): ((name: Name) => Made) => {
  const all = new Map<Name, Made>();
  return (name) => {
    const made = all.get(name) ?? make(name);
    all.set(name, made);
    return made;
  };
};

export interface ControlStackProps extends StackProps {
  readonly config: Config;
  readonly configFile: string;
  readonly storage: VaultStack;
}

/** Lambdas, state machines, rules, notifications, what people are granted. */
export class ControlStack extends Stack {
  readonly machines: Machines;
  readonly topic: Topic;
  readonly undelivered: Queue;
  readonly measureAge: VerbFunction;
  readonly janitor: VerbFunction;
  /** Of the schedules; who pauses one has to hand over its role again. */
  readonly startBackups: Role;

  constructor(scope: Construct, id: string, props: ControlStackProps) {
    super(scope, id, props);
    const notifications = new Notifications(this, props.config);
    this.topic = notifications.topic;
    // A role of a name that is known: who pauses a schedule has to hand over its role again.
    this.startBackups = new Role(this, 'StartBackups', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    });
    this.undelivered = new Queue(this, 'Undelivered', {
      queueName: 'holdfast-undelivered',
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    const functions = this.functions(props, notifications);
    for (const verb of verbNames) functions(verb);
    this.measureAge = functions('measure-age');
    this.janitor = functions('janitor');
    const { hold, ...machines } = this.stateMachines(functions);
    this.machines = machines;
    const { backup, restore, upgrade, verify, undo } = machines;
    addPeople(this, { storage: props.storage, started: [backup, restore, upgrade, verify, hold] });
    this.undoUncaught(undo, { backup, restore, upgrade });
    this.tellEnds(functions('tell-end').function);
    this.linkTo('RestoreStateMachine', restore, 'Start a restore here with {"system": "<id>", "backup": "latest"}');
    this.linkTo(
      'UpgradeStateMachine',
      upgrade,
      'Start an upgrade here with {"system": "<id>", "version": "<version>", "installer": {"name": "…", "sha256": "…"}}',
    );
    this.linkTo('BackupStateMachine', backup, 'Start a backup here with {"system": "<id>"}');
  }

  /** One lambda per verb, each with what its row asks for and no more. */
  private functions(
    { config, configFile, storage }: ControlStackProps,
    notifications: Notifications,
  ): (verb: Verb) => VerbFunction {
    const { vault, state, key, manifestKey, ticketKey } = storage;
    const environment = {
      STATE_BUCKET: state.bucketName,
      VAULT_BUCKET: vault.bucketName,
      TOPIC_ARN: notifications.topic.topicArn,
    };
    const { startBackups } = this;
    const reachable = {
      ...{ vault, state, key, manifestKey, ticketKey, notifications, startBackups },
      systems: Object.keys(config.systems),
    };
    return once((verb: Verb): VerbFunction => {
      const made = new VerbFunction(this, `Verb-${verb}`, { verb, environment, configFile });
      grantRow(made.function, contractOf(verb), reachable);
      return made;
    });
  }

  /** Every machine from its file, after those that it starts. */
  private stateMachines(functions: (verb: Verb) => VerbFunction): Machines & { readonly hold: StateMachine } {
    const lambda = (verb: Verb): Lambda => functions(verb).function;
    const machine = once(
      (name: StateMachineName): StateMachine => new Machine(this, pascal(name), { name, lambda, machine }).stateMachine,
    );
    for (const name of stateMachineNames) machine(name);
    return {
      backup: machine('backup'),
      restore: machine('restore'),
      upgrade: machine('upgrade'),
      verify: machine('verify'),
      undo: machine('undo'),
      hold: machine('hold'),
    };
  }

  /** Undoes runs that ended without a Catch. What endedUncaught says in one sentence takes two rules. */
  private undoUncaught(
    undo: StateMachine,
    started: Readonly<Record<(typeof undoneMachines)[number], StateMachine>>,
  ): void {
    const rule = (id: string, description: string, ended: Record<string, unknown>): Rule =>
      new Rule(this, id, {
        description,
        eventPattern: {
          source: ['aws.states'],
          detailType: ['Step Functions Execution Status Change'],
          detail: { stateMachineArn: undoneMachines.map((name) => started[name].stateMachineArn), ...ended },
        },
        targets: [
          new SfnStateMachine(undo, {
            input: RuleTargetInput.fromObject({ run: EventField.fromPath('$.detail.name') }),
            deadLetterQueue: this.undelivered,
            retryAttempts: 8,
            maxEventAge: Duration.hours(2),
          }),
        ],
      });
    rule('UndoAborted', 'Undoes a run that was aborted or timed out', { status: ['ABORTED', 'TIMED_OUT'] });
    // States.ALL catches neither States.Runtime nor States.DataLimitExceeded, nor a history that is full.
    rule('UndoUncaught', 'Undoes a run that failed with an error of AWS that nothing catches', {
      status: ['FAILED'],
      error: [{ prefix: 'States.' }],
    });
  }

  /** An alarm says that something failed; this says what, why and where to look, and tells programs of every end. */
  private tellEnds(tellEnd: Lambda): void {
    tellEnd.configureAsyncInvoke({
      onFailure: new SqsDestination(this.undelivered),
      maxEventAge: Duration.hours(6),
      retryAttempts: 2,
    });
    new Rule(this, 'TellEnds', {
      description: 'Tells of the end of each run',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          stateMachineArn: Object.values(this.machines).map(({ stateMachineArn }) => stateMachineArn),
          status: ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'],
        },
      },
      targets: [
        new LambdaFunction(tellEnd, {
          deadLetterQueue: this.undelivered,
          retryAttempts: 8,
          maxEventAge: Duration.hours(6),
        }),
      ],
    });
  }

  private linkTo(id: string, { stateMachineArn }: StateMachine, description: string): void {
    new CfnOutput(this, id, {
      description,
      value: `https://${this.region}.console.aws.amazon.com/states/home?region=${this.region}#/statemachines/view/${stateMachineArn}`,
    });
  }
}
