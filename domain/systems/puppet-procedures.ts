import { type PhaseOf, type Procedure, phasesOf, type Step } from '#domain/contracts/procedure';

/** The steps of what is done to Puppet Enterprise, each with what its state says. */

/** Every restore has all of its phases, and what it does not need is empty. */
export const puppetRestore = {
  does: 'The steps of a restore of Puppet Enterprise 3.x, each a state. Started by restore, which undoes it when it fails. A step that a restore does not need has no commands and ends at once.',
  timeoutSeconds: 604_800,
  steps: [
    {
      phase: 'fetch',
      state: 'FetchBackup',
      does: 'Downloads and checks every artifact. A damaged one ends the restore before anything is changed.',
    },
    {
      phase: 'prepare-installation',
      does: 'Only when a reinstallation is asked for: a purge begins only what can be finished. Nothing is changed here.',
    },
    {
      phase: 'purge',
      state: 'PurgeInstallation',
      does: 'Only when a reinstallation is asked for: the uninstaller with -p -d -y, and proof that nothing is left.',
    },
    {
      phase: 'reinstall-master',
      does: 'With the backed-up answers, and proof of the version. One after another: each asks the one before.',
    },
    { phase: 'reinstall-puppetdb' },
    { phase: 'reinstall-console' },
    { phase: 'stop-services', does: "In the manual's order, on every node." },
    {
      phase: 'keep-authority',
      does: 'What the living certificate authority has signed and revoked is copied, before anything of it is replaced.',
    },
    { phase: 'restart-postgresql', does: 'Clears locks, and proves that no session is left.' },
    {
      phase: 'drop-databases',
      does: "Only when they can't live until the new ones are whole, or with globals: roles and tablespaces too. Each drop is proven.",
    },
    { phase: 'prepare-tablespaces', does: 'Their directories must exist and belong to the server.' },
    { phase: 'restore-globals', does: 'Roles with their passwords, tablespaces.' },
    { phase: 'restore-databases', does: 'Each into a database of its own, beside the one that it will replace.' },
    { phase: 'swap-databases', does: 'By renaming; those that were there are kept until the end.' },
    {
      phase: 'replace-files',
      does: 'Directories as a whole, never overlaid; those that were there are kept until the end.',
    },
    {
      phase: 'merge-authority',
      does: 'Certificates, inventory and revocations since the backup are merged; no serial number is issued twice.',
    },
    { phase: 'set-owners' },
    { phase: 'set-up-puppetdb-ssl' },
    { phase: 'forget-catalog', state: 'ForgetCachedCatalog' },
    { phase: 'count-rows', does: 'Before any service can write.' },
    { phase: 'inspect-restored' },
    {
      verb: 'prove-restore',
      state: 'Prove',
      does: 'Rows, owners, tablespaces, grants, extensions and the certificate authority against the manifest.',
      keeps: { as: 'proof', fields: ['compared', 'told'] },
      timeoutSeconds: 330,
    },
    {
      phase: 'start-services',
      does: 'Those that ran when the backup was taken, and those that were stopped for this. Judged by their status.',
    },
    { phase: 'configure', does: 'From 2015.2 on: rights and settings as the product wants them.' },
    { phase: 'check-health' },
    { phase: 'finish', state: 'FinishRestore', does: "From here on it can't be undone: what was kept is removed." },
  ],
  end: { state: 'Result', gives: { from: 'proof' } },
} as const satisfies Procedure;

export const puppetRestorePhases = phasesOf(puppetRestore);
export type PuppetRestorePhase = PhaseOf<typeof puppetRestore>;

/** Of master, PuppetDB and console, and what asks them afterwards which agent they bring. */
const core = [
  {
    phase: 'fetch-installer',
    does: 'To every one of master, PuppetDB and console that needs it; a wrong checksum ends the upgrade before anything is changed.',
  },
  { phase: 'stop-agents', does: 'Stops the agents of these three: none runs by itself while they are upgraded.' },
  {
    phase: 'upgrade-master',
    does: "The order of the manual's split upgrade. A node that has the version already has no commands.",
  },
  { phase: 'collect-settings', does: "The master's conf.d, which PuppetDB and console need." },
  { verb: 'share-settings', state: 'ShareSettings', does: 'Lets the other two read it.', timeoutSeconds: 120 },
  { phase: 'fetch-settings' },
  { phase: 'upgrade-puppetdb' },
  { phase: 'upgrade-console' },
  {
    phase: 'run-puppet-master',
    state: 'RunPuppetOnMaster',
    does: 'One after another, in this order. Changes (exit code 2) are success.',
  },
  { phase: 'run-puppet-puppetdb', state: 'RunPuppetOnPuppetdb' },
  { phase: 'run-puppet-console', state: 'RunPuppetOnConsole' },
  { phase: 'release-agents' },
  { phase: 'inspect-upgraded' },
  {
    verb: 'plan-rollout',
    state: 'PlanRollout',
    does: 'Asserts the three versions, and plans the rest with the agent that the upgraded master brings.',
    keeps: { as: 'rollout', fields: ['waves'] },
    timeoutSeconds: 120,
  },
] as const satisfies readonly Step[];

/** Of all other nodes. */
const rollout = [
  { phase: 'upgrade-compile-masters', does: 'One by one or in batches; SSM itself stops at the first failure.' },
  { phase: 'upgrade-hubs' },
  { phase: 'upgrade-spokes' },
  {
    phase: 'install-modules',
    does: 'Agents need puppet_agent on every compile master: it is installed where that was asked for, and looked for.',
  },
  { phase: 'upgrade-canaries' },
  {
    each: '$.rollout.waves',
    state: 'UpgradeAgents',
    does: 'Wave after wave, each by tag: ten thousand agents are one command.',
  },
  { phase: 'finish', state: 'FinishUpgrade' },
] as const satisfies readonly Step[];

export const puppetUpgrade = {
  does: 'The stages of an upgrade of Puppet Enterprise, each a state. Started by upgrade, which undoes what can be undone when it fails. A stage that needs nothing has no commands and ends at once.',
  timeoutSeconds: 1_209_600,
  steps: [...core, ...rollout],
  end: { state: 'Upgraded' },
} as const satisfies Procedure;

export const coreUpgradePhases = phasesOf({ steps: core });
export type CoreUpgradePhase = PhaseOf<{ steps: typeof core }>;

/** The waves of agents, which are known only when the rollout is planned, come before the last. */
export const rolloutPhases = phasesOf({ steps: rollout });
export type RolloutPhase = PhaseOf<{ steps: typeof rollout }>;
