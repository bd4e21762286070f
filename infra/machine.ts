import { readFileSync } from 'node:fs';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import {
  functionPlaceholder,
  type StateMachineName,
  stateMachineName,
  stateMachineNames,
  stateMachinePlaceholder,
} from '#domain/naming';
import { type Verb, verbNames } from '#lambdas/verbs';

/** The names among those known whose placeholders stand in a text. */
const namedIn = <Name extends string>(
  text: string,
  names: readonly Name[],
  placeholder: (name: Name) => string,
): Name[] => names.filter((name) => text.includes(`\${${placeholder(name)}}`));

export interface MachineProps {
  readonly name: StateMachineName;
  /** Returns the function of a verb. */
  readonly lambda: (verb: Verb) => LambdaFunction;
  /** Returns a machine that this one starts. */
  readonly machine: (name: StateMachineName) => StateMachine;
}

/** One state machine from its file, allowed to call just what its placeholders name. */
export class Machine extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: MachineProps) {
    super(scope, id);
    const { name } = props;
    const text = readFileSync(new URL(`../statemachines/${name}.asl.json`, import.meta.url), 'utf8');
    const functions = namedIn(text, verbNames, functionPlaceholder).map((verb) => [verb, props.lambda(verb)] as const);
    const children = namedIn(text, stateMachineNames, stateMachinePlaceholder).map(
      (child) => [child, props.machine(child)] as const,
    );
    this.stateMachine = new StateMachine(this, 'StateMachine', {
      stateMachineName: stateMachineName(name),
      stateMachineType: StateMachineType.STANDARD,
      // Without its white space: a template may have a megabyte, and the console lays it out again.
      definitionBody: DefinitionBody.fromString(JSON.stringify(JSON.parse(text))),
      definitionSubstitutions: {
        ...Object.fromEntries(functions.map(([verb, fn]) => [functionPlaceholder(verb), fn.functionArn])),
        ...Object.fromEntries(
          children.map(([child, machine]) => [stateMachinePlaceholder(child), machine.stateMachineArn]),
        ),
      },
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', {
          logGroupName: `/aws/vendedlogs/states/${stateMachineName(name)}`,
          retention: RetentionDays.THREE_MONTHS,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
        includeExecutionData: false,
      },
    });
    if (functions.length > 0)
      this.stateMachine.addToRolePolicy(
        new PolicyStatement({
          actions: ['lambda:InvokeFunction'],
          resources: functions.map(([, fn]) => fn.functionArn),
        }),
      );
    for (const [, child] of children) {
      child.grantStartExecution(this.stateMachine);
      child.grantExecution(this.stateMachine, 'states:DescribeExecution', 'states:StopExecution');
    }
    if (children.length > 0)
      // Step Functions waits for a child by a rule of its own, whose name AWS fixes.
      this.stateMachine.addToRolePolicy(
        new PolicyStatement({
          actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
          resources: [
            Stack.of(this).formatArn({
              service: 'events',
              resource: 'rule',
              resourceName: 'StepFunctionsGetEventsForStepFunctionsExecutionRule',
            }),
          ],
        }),
      );
  }
}
