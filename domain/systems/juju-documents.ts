import * as z from 'zod';
import { document } from '#domain/contracts/document';
import * as p from '#domain/contracts/parameters';
import { JujuInspection } from '#domain/inspection';
import { UploadedJuju } from '#domain/manifest';

/** The documents of Juju. */

const client = { Controller: p.controller, ClientUser: p.clientUser };

export const inspectJuju = document('juju/inspect-juju', {
  does: 'Tells what a node of Juju holds.',
  onlyLooks: true,
  takes: { ...client, OnProblem: p.onProblem },
  answers: JujuInspection,
});

export const createJujuArchive = document('juju/create-juju-archive', {
  does: 'Lets Juju make a backup that stays on the controller.',
  takes: client,
  answers: z.strictObject({ sha1: z.string(), machine: z.string(), path: z.string() }),
});

export const backupJuju = document('juju/backup-juju', {
  does: 'Streams a verified backup of Juju into the vault.',
  takes: {
    ...{ ...client, Driver: p.driver, Directory: p.directory, WatchdogSeconds: p.watchdogSeconds },
    ...{ Bucket: p.vault, Key: p.storedKey, ExpectedBytes: p.expectedBytes },
  },
  // Of several controllers one alone has the archive.
  answers: z.discriminatedUnion('kind', [UploadedJuju, z.strictObject({ kind: z.literal('nothing') })]),
});

export const checkFence = document('juju/check-fence', {
  does: 'Proves that no state server of Juju is left.',
  onlyLooks: true,
  takes: { ...client, Instances: p.instances, Stopped: p.stopped },
});

export const restoreEnvironment = document('juju/restore-environment', {
  does: 'Lets Juju 1.x make a new state server of a backup.',
  takes: { ...client, Name: p.fetchedFile, Constraints: p.constraints },
  answers: z.strictObject({
    servers: z.string(),
    lacks: z.array(z.enum(['tag', 'profile', 'amazon-ssm-agent', 'aws'])),
  }),
});

export const ensureAvailability = document('juju/ensure-availability', {
  does: 'Lets Juju 1.x add state servers.',
  takes: { ...client, Count: p.serverCount },
});

export const guardAgents = document('juju/guard-agents', {
  does: "Notes a controller's agent as one that is to be started again.",
  takes: { WatchdogSeconds: p.watchdogSeconds },
});

export const restoreController = document('juju/restore-controller', {
  does: 'Restores the database of a Juju controller with juju-restore.',
  takes: { Name: p.fetchedFile, Downgrade: p.downgrade },
});

export const restoreJujuArchive = document('juju/restore-juju-archive', {
  does: 'Lets Juju 2.0 to 2.9.21 restore a backup into its controller.',
  takes: { ...client, Name: p.fetchedFile },
});

export const checkJuju = document('juju/check-juju', {
  does: 'Looks whether the agents of Juju report.',
  onlyLooks: true,
  takes: { ...client, SecondsToWait: p.secondsToWait, Share: p.share },
});

export const preflightJuju = document('juju/preflight-juju', {
  does: 'Asks Juju what is against an upgrade.',
  onlyLooks: true,
  takes: { ...client, Version: p.version },
  answers: z.strictObject({ problems: z.array(z.string()) }),
});

export const upgradeJuju = document('juju/upgrade-juju', {
  does: 'Upgrades Juju and waits until its agents have the version.',
  takes: { ...client, Version: p.version, Stage: p.stage, SecondsToWait: p.secondsToWait },
});
