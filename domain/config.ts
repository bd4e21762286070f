import * as z from 'zod';
import { cronFault } from './cron.ts';
import { InstanceId, ScheduleName, SystemId } from './naming.ts';
import { ExpiringClass, expiringClasses } from './retention.ts';
import { isLocalTime, rateMilliseconds, type Timing } from './schedule.ts';

/** `holdfast.yaml`: schema, parser and what is derived from it. Everything wrong with a file is reported at once. */

const days = (description: string) => z.int().min(1).max(3650).describe(description);

const AbsolutePath = z
  .string()
  .regex(/^\/[^\0\n]*[^\0\n/]$/, 'expected an absolute path without a slash at its end')
  .describe('An absolute path on the node.');

const TimeZone = z
  .string()
  .refine((zone) => {
    // An offset such as +02:00 is a time zone to JavaScript, and none to EventBridge, which minds capitals as well.
    if (!/^[A-Z]/.test(zone)) return false;
    try {
      const { timeZone } = Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions();
      return timeZone === zone || timeZone.toLowerCase() !== zone.toLowerCase();
    } catch {
      return false;
    }
  }, 'expected an IANA time zone such as Europe/Berlin')
  .describe('An IANA time zone. Daylight saving time is followed.');

const CronSchedule = z
  .strictObject({
    cron: z
      .string()
      .superRefine((cron, context) => {
        const fault = cronFault(cron);
        if (fault !== undefined) context.addIssue(fault);
      })
      .describe(
        'Minute, hour, day of the month, month, weekday, as in a crontab; L, 15W, 5L and 5#2 as well. What fires hourly or less often begins within five minutes, so that not all systems begin at once.',
      ),
    timezone: TimeZone.default('UTC'),
  })
  .describe('At the times of a cron expression.');

const RateSchedule = z
  .strictObject({
    rate: z
      .string()
      .refine((rate) => rateMilliseconds(rate) !== undefined, 'expected a rate such as "6 hours"')
      .describe('A number and minute(s), hour(s) or day(s).'),
  })
  .describe('At a fixed rate.');

const OnceSchedule = z
  .strictObject({
    at: z
      .string()
      .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, 'expected a local time such as 2026-11-20T02:00:00')
      .refine(isLocalTime, 'expected a day that the calendar has'),
    timezone: TimeZone.default('UTC'),
  })
  .describe('Once.');

/** When backups start. */
export const Schedule = z.union([CronSchedule, RateSchedule, OnceSchedule], {
  error: 'expected one of: cron (with timezone), rate, at (with timezone)',
});
export type Schedule = z.infer<typeof Schedule>;

export const puppetRoles = [
  'master',
  'puppetdb',
  'console',
  'compile-master',
  'activemq-hub',
  'activemq-spoke',
  'agent',
] as const;
export type PuppetRole = (typeof puppetRoles)[number];

export const jujuRoles = ['juju-client', 'juju-controller'] as const;
export type JujuRole = (typeof jujuRoles)[number];

const rolesAmong = <const R extends readonly string[]>(among: R) =>
  z
    .array(z.enum(among))
    .min(1, 'expected at least one role')
    .refine((list) => new Set(list).size === list.length, 'expected each role once')
    .describe('What the node holds. It is checked on the node before anything is backed up.');

const roles = rolesAmong(puppetRoles);

const optional = z
  .boolean()
  .default(false)
  .describe('A backup goes on without it when it is down, and says so: its state is partial then.');

const instance = InstanceId.describe('The id of an EC2 instance under SSM.');
const tag = z
  .strictObject({ key: z.string().min(1).max(128), value: z.string().min(1).max(256) })
  .describe('Every running instance with this tag that is also tagged for the system.');

const hostName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$/, 'expected a host name in lower case');

const loadBalancer = hostName
  .optional()
  .describe(
    "The load balancer from which these nodes get the script that upgrades them, in place of the system's. For agents, hubs and spokes.",
  );

/** A node named by its instance id, or every node that carries a tag, whatever the kind of its system. */
export type Selector = {
  readonly roles: readonly string[];
  readonly optional: boolean;
  readonly loadBalancer?: string | undefined;
} & ({ readonly instance: string } | { readonly tag: z.infer<typeof tag> });

/** A node of Puppet Enterprise. */
export const NodeSelector = z.union(
  [
    z.strictObject({ instance, roles, optional, loadBalancer }),
    z.strictObject({
      tag,
      roles,
      optional,
      loadBalancer,
      canary: z.boolean().default(false).describe('Agents that are upgraded before all others.'),
    }),
  ],
  { error: 'expected a node by instance or by tag, with its roles' },
);
export type NodeSelector = z.infer<typeof NodeSelector>;

/** Roles without which there is no installation. */
export const coreRoles = ['master', 'puppetdb', 'console'] as const satisfies readonly PuppetRole[];

/** True for nodes that hold a part of the installation. What is an agent alone is upgraded, and nothing of it is backed up. */
export const isInfrastructure = ({ roles: list }: { readonly roles: readonly string[] }): boolean =>
  list.some((role) => role !== 'agent');

const approval = z
  .enum(['optional', 'required'])
  .default('optional')
  .describe(
    'required: no restore and no upgrade goes on before somebody with the policy holdfast-approvers has approved its plan; a confirmation in the request does not replace it.',
  );

export const PuppetEnterprise = z.strictObject({
  kind: z.literal('puppet-enterprise'),
  approval,
  nodes: z.array(NodeSelector).min(1, 'expected at least one node').max(50),
  consistency: z
    .enum(['live', 'quiesced'])
    .default('live')
    .describe(
      'live: nothing stops, each database is one snapshot of its own. quiesced: the services that write are stopped for the length of the backup, so that all databases and files are of one moment.',
    ),
  extraPaths: z
    .array(AbsolutePath)
    .max(50)
    .default([])
    .describe('More to back up, on the master. A path that is missing fails the backup.'),
  schedules: z.array(z.string()).default([]).describe('Names from schedules.'),
  masterHost: hostName
    .optional()
    .describe(
      'The name at which compile masters, hubs and spokes reach the master of masters, and which its certificate has. Without it the host name that SSM knows of it.',
    ),
  loadBalancer: hostName
    .optional()
    .describe('The host name of the load balancer before the compile masters: agents are upgraded from it.'),
  offline: z
    .boolean()
    .default(false)
    .describe('The installation cannot reach the internet: an upgrade of agents needs more modules then.'),
});
export type PuppetEnterprise = z.infer<typeof PuppetEnterprise>;

/** A node of a Juju environment or controller. */
const JujuSelector = z.union(
  [
    z.strictObject({ instance, roles: rolesAmong(jujuRoles), optional }),
    z.strictObject({ tag, roles: rolesAmong(jujuRoles), optional }),
  ],
  { error: 'expected a node by instance or by tag, with its roles' },
);

const Juju = z.strictObject({
  kind: z.literal('juju'),
  approval,
  controller: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'expected the name of an environment or a controller')
    .optional()
    .describe(
      'The environment (Juju 1.x) or controller (2.0 and later) by the name that the client knows. Without it the one that the client is switched to.',
    ),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected the name of a user')
    .default('ubuntu')
    .describe('The user of the client whose home holds ~/.juju or ~/.local/share/juju.'),
  nodes: z
    .array(JujuSelector)
    .min(1, 'expected at least one node')
    .max(20)
    .describe('The client, and every state server or controller. Which Juju it is, the nodes tell.'),
  schedules: z.array(z.string()).default([]).describe('Names from schedules.'),
});
export type Juju = z.infer<typeof Juju>;

/** One control plane. A further kind is a further member of this union. */
export const System = z.discriminatedUnion('kind', [PuppetEnterprise, Juju], {
  error: 'expected puppet-enterprise or juju',
});
export type System = z.infer<typeof System>;

/** Storage classes from the warmest to the coldest. */
const storageClasses = ['STANDARD_IA', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'] as const;

const ClassRule = z.strictObject({
  days: days('Age in days at which its backups expire.'),
  transitions: z
    .array(
      z.strictObject({
        afterDays: days('Age in days at which its backups move.'),
        to: z.enum(storageClasses),
      }),
    )
    .max(4)
    .default([])
    .describe('Storage classes that its artifacts move to. Manifests never move.'),
});

/** A class's rule as the file writes it and the domain uses it. */
export type ClassRule = z.infer<typeof ClassRule>;

const defaultDays: Readonly<Record<ExpiringClass, number>> = {
  daily: 35,
  weekly: 90,
  monthly: 400,
  yearly: 2555,
  manual: 90,
};

const classRule = (of: ExpiringClass) => ClassRule.prefault({ days: defaultDays[of] });

const Retention = z.strictObject({
  keepLast: z
    .int()
    .min(1)
    .max(50)
    .default(3)
    .describe('The newest good backups of each system that never expire, however old.'),
  daily: classRule('daily'),
  weekly: classRule('weekly'),
  monthly: classRule('monthly'),
  yearly: classRule('yearly'),
  manual: classRule('manual'),
});
export type Retention = z.infer<typeof Retention>;

const Vault = z.strictObject({
  objectLock: z
    .strictObject({
      mode: z.enum(['governance', 'compliance']),
      days: days('Days from its writing on during which no version of an object can be deleted.'),
      classes: z
        .partialRecord(ExpiringClass, z.int().min(1).max(3650))
        .default({})
        .describe(
          'The same by class of retention, from the commit of a backup on. Without a number, days alone counts.',
        ),
    })
    .refine(({ days: least, classes }) => Object.values(classes).every((one) => one >= least), {
      path: ['classes'],
      error: 'expected no fewer than days: S3 makes no lock shorter',
    })
    .optional()
    .describe('Object Lock of the vault. compliance can be undone by nobody, not by root either.'),
  kmsKeyArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/, 'expected the ARN of a KMS key')
    .optional()
    .describe('A KMS key of yours. Without it Holdfast makes one.'),
  keyAdministrators: z
    .array(
      z
        .string()
        .regex(/^arn:aws[a-z-]*:iam::\d{12}:(role|user)\/[A-Za-z0-9+=,.@_/-]+$/, 'expected the ARN of a role or user'),
    )
    .max(20)
    .default([])
    .describe(
      "Who may change the key that Holdfast makes, beside the CDK's role of the deployment and the account's root: its policy, its rotation, its deletion.",
    ),
  replication: z.literal('off').default('off').describe('Copies in another region are planned; only off works today.'),
});

const Notifications = z.strictObject({
  email: z
    .array(z.email('expected an email address'))
    .max(20)
    .refine((list) => new Set(list).size === list.length, 'expected each address once')
    .default([])
    .describe('Who hears of failed and missed backups.'),
  ping: z
    .string()
    .regex(/^https:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(\/[A-Za-z0-9._~%/?&=+{}-]*)?$/, 'expected an https URL')
    .optional()
    .describe(
      'Called after each good backup, for a service that wakes somebody when it has heard nothing for too long. {system} stands for the id of the system.',
    ),
  runbook: z
    .string()
    .regex(/^https:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?\/[A-Za-z0-9._~%/-]+$/, 'expected an https URL')
    .optional()
    .describe('Where docs/runbook.md is read: alarms and mails link to its sections.'),
});

/** The whole file. */
export const Config = z.strictObject({
  systems: z.record(SystemId, System).refine((all) => Object.keys(all).length > 0, 'expected at least one system'),
  schedules: z.record(ScheduleName, Schedule).default({}),
  retention: Retention.prefault({}),
  vault: Vault.prefault({}),
  notifications: Notifications.prefault({}),
});
export type Config = z.infer<typeof Config>;

/** As much of a file as can be read: what the checks of references work on, so that they also run on a file with mistakes. */
const Readable = z.object({
  systems: z
    .record(
      z.string(),
      z
        .object({
          kind: z.string().catch(''),
          nodes: z
            .array(
              z.object({
                instance: z.string().optional().catch(undefined),
                roles: z.array(z.string()).catch([]),
                optional: z.boolean().catch(false).default(false),
                canary: z.boolean().catch(false).default(false),
                loadBalancer: z.unknown().optional(),
              }),
            )
            .catch([]),
          schedules: z.array(z.unknown()).catch([]),
        })
        .catch({ kind: '', nodes: [], schedules: [] }),
    )
    .catch({}),
  schedules: z.record(z.string(), z.unknown()).catch({}),
  retention: Retention.catch(Retention.parse({})).prefault({}),
});

/** Keys and indices from the root of the file. */
export type Path = readonly PropertyKey[];

/** A mistake by its place in the data. */
export interface Fault {
  readonly path: Path;
  readonly expected: string;
}

/** Roles of each kind of system, and those without which a backup of it is none. */
const rolesOfKinds: Readonly<Record<string, { readonly all: readonly string[]; readonly core: readonly string[] }>> = {
  'puppet-enterprise': { all: puppetRoles, core: coreRoles },
  juju: { all: jujuRoles, core: jujuRoles },
};

const rolesOf = (kind: string): { readonly all: readonly string[]; readonly core: readonly string[] } =>
  rolesOfKinds[kind] ?? { all: [], core: [] };

type ReadableSystem = z.infer<typeof Readable>['systems'][string];

/** An instance that one system names twice. */
const repeatedInstances = (id: string, { nodes }: ReadableSystem): Fault[] =>
  nodes.flatMap(({ instance }, index) =>
    instance !== undefined && nodes.findIndex((other) => other.instance === instance) < index
      ? [{ path: ['systems', id, 'nodes', index, 'instance'], expected: 'expected each instance once' }]
      : [],
  );

/** What a node is said to be that its roles do not allow. */
const oneNodeFaults = (
  path: Path,
  { kind, nodes }: ReadableSystem,
  { roles, optional, canary, loadBalancer }: ReadableSystem['nodes'][number],
): Fault[] => {
  const { core } = rolesOf(kind);
  // Of several state servers one may be away.
  const isNeeded = (role: string): boolean =>
    core.includes(role) && (kind !== 'juju' || role === 'juju-client' || nodes.every(({ optional: any }) => any));
  const isOtherThan = (...allowed: readonly string[]): boolean => roles.some((role) => !allowed.includes(role));
  return [
    ...(optional && roles.some(isNeeded)
      ? [
          {
            path: [...path, 'optional'],
            expected: `expected false: a backup without its ${roles.join(', ')} is none`,
          },
        ]
      : []),
    ...(loadBalancer !== undefined && isOtherThan('agent', 'activemq-hub', 'activemq-spoke')
      ? [
          {
            path: [...path, 'loadBalancer'],
            expected:
              'expected none: compile masters get their script from the master itself, and the core has an installer',
          },
        ]
      : []),
    ...(canary && isOtherThan('agent')
      ? [{ path: [...path, 'canary'], expected: 'expected false: only agents have canaries' }]
      : []),
  ];
};

/** Roles without which there is no backup, and which no node has. */
const missingRoles = (id: string, { kind, nodes }: ReadableSystem): Fault[] => {
  const { all, core } = rolesOf(kind);
  const has = (role: string): boolean => nodes.some(({ roles }) => roles.includes(role));
  // A role that is misspelt may be the one that is missing: it is told alone.
  const readable =
    nodes.length > 0 && nodes.every(({ roles }) => roles.length > 0 && roles.every((role) => all.includes(role)));
  return core
    .filter((role) => readable && !has(role))
    .map((role) => ({
      path: ['systems', id, 'nodes'],
      expected: `expected a node with the role ${role}: without it the backup would be incomplete`,
    }));
};

const nodeFaults = (id: string, system: ReadableSystem): Fault[] => [
  ...repeatedInstances(id, system),
  ...system.nodes.flatMap((node, index) => oneNodeFaults(['systems', id, 'nodes', index], system, node)),
  ...missingRoles(id, system),
];

/** An instance carries the tag of one system, and its policy lets it write below the prefix of one. */
const sharedInstances = (systems: z.infer<typeof Readable>['systems']): Fault[] => {
  const owners = new Map<string, string>();
  return Object.entries(systems).flatMap(([id, { nodes }]) =>
    nodes.flatMap(({ instance }, index) => {
      if (instance === undefined) return [];
      const owner = owners.get(instance) ?? id;
      owners.set(instance, owner);
      return owner === id
        ? []
        : [
            {
              path: ['systems', id, 'nodes', index, 'instance'],
              expected: `expected an instance of ${id} alone: ${instance} is a node of ${owner}`,
            },
          ];
    }),
  );
};

/** Periods whose first backup is kept for less long than the others'. */
const shorterPeriods = (retention: Retention): Fault[] =>
  (
    [
      ['daily', 'weekly'],
      ['weekly', 'monthly'],
      ['monthly', 'yearly'],
    ] as const
  ).flatMap(([shorter, longer]) =>
    retention[shorter].days > retention[longer].days
      ? [
          {
            path: ['retention', longer, 'days'],
            expected: `expected at least the ${retention[shorter].days} days of ${shorter}: the first backup of a period is kept longest`,
          },
        ]
      : [],
  );

/** When an object moves on, by the one before: later, before it expires, and no sooner than S3 moves it. */
const transitionDayFaults = (
  end: number,
  before: Retention[ExpiringClass]['transitions'][number] | undefined,
  { afterDays, to }: Retention[ExpiringClass]['transitions'][number],
): string[] => {
  const previous = before?.afterDays ?? 0;
  const leavesEarly =
    before?.to === 'STANDARD_IA' && to !== 'STANDARD_IA' && afterDays > previous && afterDays < previous + 30;
  return [
    ...(afterDays <= previous ? [`expected more than ${previous} days`] : []),
    ...(afterDays >= end ? [`expected fewer than the ${end} days of its class`] : []),
    ...(to === 'STANDARD_IA' && afterDays < 30
      ? ['expected at least 30 days: S3 moves nothing younger to STANDARD_IA']
      : []),
    ...(leavesEarly ? [`expected at least ${previous + 30}: S3 moves nothing on from STANDARD_IA within 30 days`] : []),
  ];
};

const transitionFaults = (retention: Retention, name: ExpiringClass): Fault[] => {
  const { days: end, transitions } = retention[name];
  return transitions.flatMap((transition, index) => {
    const path = ['retention', name, 'transitions', index];
    const before = transitions[index - 1];
    const { to } = transition;
    return [
      ...transitionDayFaults(end, before, transition).map((expected) => ({ path: [...path, 'afterDays'], expected })),
      ...(before && storageClasses.indexOf(to) <= storageClasses.indexOf(before.to)
        ? [
            {
              path: [...path, 'to'],
              expected: `expected a colder class than ${before.to}, such as ${storageClasses.slice(storageClasses.indexOf(before.to) + 1).join(' or ') || 'none: leave it out'}: S3 moves nothing back`,
            },
          ]
        : []),
    ];
  });
};

const retentionFaults = (retention: Retention): Fault[] => [
  ...shorterPeriods(retention),
  ...expiringClasses.flatMap((name) => transitionFaults(retention, name)),
];

/** Alarms of a system that has a schedule, and of all systems together; with the dashboard they are one stack of CloudFormation. */
const alarmsOf = { system: 6, all: 11 } as const;

/** A system's schedules and its monthly verification; what is there whatever the systems. */
const schedulesOf = { system: 1, all: 9 } as const;

/** Resources that a stack may have. */
const stackLimit = 500;

/** What CloudFormation would refuse after minutes, and roll back. */
const sizeFaults = (systems: z.infer<typeof Readable>['systems']): Fault[] => {
  const count = Object.keys(systems).length;
  const alarms = count * alarmsOf.system + alarmsOf.all;
  const schedules = Object.values(systems).reduce(
    (sum, { schedules: own }) => sum + own.length + schedulesOf.system,
    0,
  );
  return [
    ...(alarms + 1 > stackLimit ? [`${count} systems have ${alarms} alarms`] : []),
    ...(schedules + schedulesOf.all > stackLimit ? [`${count} systems have ${schedules} schedules`] : []),
  ].map((found) => ({
    path: ['systems'],
    expected: `expected fewer systems: ${found}, and a stack of CloudFormation holds ${stackLimit} resources. Deploy some of them from another account or region`,
  }));
};

/** What no part of the file can tell alone: names that must exist, orders that must hold. */
export const referenceFaults = (value: unknown): Fault[] => {
  const { systems, schedules, retention } = Readable.catch({
    systems: {},
    schedules: {},
    retention: Retention.parse({}),
  }).parse(value);
  const names = Object.keys(schedules);
  return [
    ...Object.entries(systems).flatMap(([id, system]) => [
      ...system.schedules.flatMap((name, index) => {
        const path = ['systems', id, 'schedules', index];
        if (typeof name !== 'string') return [];
        if (!names.includes(name))
          return [
            {
              path,
              expected: `expected a name from schedules (${names.join(', ') || 'there is none'}), found ${name}`,
            },
          ];
        return system.schedules.indexOf(name) < index ? [{ path, expected: 'expected each schedule once' }] : [];
      }),
      ...nodeFaults(id, system),
    ]),
    ...sizeFaults(systems),
    ...sharedInstances(systems),
    ...retentionFaults(retention),
  ];
};

/** The timings of a system's schedules, by name. */
export const timingsOf = (config: Config, system: System): readonly { name: string; timing: Timing }[] =>
  system.schedules.flatMap((name) => {
    const timing = config.schedules[name];
    return timing === undefined ? [] : [{ name, timing }];
  });
