import { type PhaseOf, type Procedure, phasesOf } from '#domain/contracts/procedure';

/** The steps of what is done to Juju, each with what its state says. */

/** 1.x is restored onto a new state server, 2.0 to 3.6 into the controller that is there. What a restore does not need is empty. */
export const jujuRestore = {
  does: 'The steps of a restore of Juju, each a state: 1.x by juju restore onto a new state server, 2.0 to 2.9.21 by juju restore-backup, 2.9.22 to 3.6 by juju-restore on the primary. Started by restore, which undoes it when it fails. A step that a restore does not need has no commands and ends at once.',
  timeoutSeconds: 604_800,
  steps: [
    {
      phase: 'fetch',
      state: 'FetchBackup',
      does: 'Downloads and checks the archive. A damaged one ends the restore before anything is changed.',
    },
    {
      phase: 'restore-client',
      does: "Only where the client's directory is lost: without it a restored server can't be used.",
    },
    {
      phase: 'check-fence',
      does: '1.x: every state server of the backup and of provider-state must be gone; a stopped one only when that was allowed.',
    },
    {
      phase: 'restore-environment',
      does: '1.x: keeps a copy of provider-state, then juju restore makes a new state server and tells all machines.',
    },
    { phase: 'ensure-availability', does: '1.x: only when asked for.' },
    {
      phase: 'guard-agents',
      does: "2.0 to 3.6: from here on every controller's agent is started again whatever happens.",
    },
    {
      phase: 'restore-controller',
      does: '2.0 to 2.9.21: juju restore-backup on the client. 2.9.22 to 3.6: juju-restore on the primary. When it fails it leaves the agents stopped.',
      onFailure: 'StartPrimaryAfterFailure',
    },
    { phase: 'start-primary', does: "The primary's agent first." },
    { phase: 'start-secondaries' },
    { phase: 'check-health', does: 'The API answers, and the agents of enough machines report to it.' },
    { phase: 'inspect-restored' },
    {
      verb: 'prove-restore',
      state: 'Prove',
      does: 'Version, environment or controller, machines and applications against the manifest.',
      keeps: { as: 'proof', fields: ['compared', 'told'] },
      timeoutSeconds: 330,
    },
    { phase: 'finish', does: 'Removes what was fetched and the copy of provider-state.' },
  ],
  end: { state: 'Done', gives: { from: 'proof' } },
  wayOut: {
    state: 'RestoreFailed',
    timeoutSeconds: 1800,
    steps: [
      {
        phase: 'start-primary',
        state: 'StartPrimaryAfterFailure',
        does: 'The way out: agents run again before anybody reads why.',
      },
      { phase: 'start-secondaries', state: 'StartSecondariesAfterFailure' },
    ],
  },
} as const satisfies Procedure;

export const jujuRestorePhases = phasesOf(jujuRestore);
export type JujuRestorePhase = PhaseOf<typeof jujuRestore>;

/** Run again, it goes on from where it broke off. */
export const jujuUpgrade = {
  does: 'The steps of an upgrade of Juju, each a state. Started by upgrade after a fresh verified backup. Run again, it goes on from where it broke off: no upgrades available is a success.',
  timeoutSeconds: 604_800,
  steps: [
    {
      phase: 'upgrade-controller',
      does: "upgrade-juju or upgrade-controller, then a look at the agents' version until all state servers or controllers have it.",
    },
    { phase: 'upgrade-models', does: '2.0 and later: each model, one after another, after the controller.' },
    {
      phase: 'check-health',
      does: 'The API answers, and the agents of all machines that reported before report again.',
    },
  ],
  end: { state: 'Upgraded' },
} as const satisfies Procedure;

export const jujuUpgradePhases = phasesOf(jujuUpgrade);
export type JujuUpgradePhase = PhaseOf<typeof jujuUpgrade>;
