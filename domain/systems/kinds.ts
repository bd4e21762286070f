import type { System } from '#domain/config';
import type { Manifest } from '#domain/manifest';
import { juju } from './juju.ts';
import { restoreJuju } from './juju-restore.ts';
import { planJujuUpgrade } from './juju-upgrade.ts';
import type { Kind, Restoration, RestoreOf, UpgradeOf, Upgrading } from './kind.ts';
import { puppetEnterprise, restorePuppet, upgradePuppet } from './puppet.ts';

/** The one place where kinds of systems are told apart. */

export const kindOf = (system: System): Kind => {
  switch (system.kind) {
    case 'puppet-enterprise':
      return puppetEnterprise(system);
    case 'juju':
      return juju(system);
    default:
      return system satisfies never;
  }
};

/** Throws a CheckFailedError when the backup's nodes have no counterparts among those of the system. */
export const restorationOf = (manifest: Manifest, of: RestoreOf): Restoration => {
  switch (manifest.kind) {
    case 'puppet-enterprise':
      return restorePuppet(manifest, of);
    case 'juju':
      return restoreJuju(manifest, of);
    default:
      return manifest satisfies never;
  }
};

/** Throws an UnreadableResultError when a node did not tell what is against its upgrade. */
export const upgradingOf = (system: System, of: UpgradeOf): Upgrading => {
  switch (system.kind) {
    case 'puppet-enterprise':
      return upgradePuppet(system, of);
    case 'juju':
      return planJujuUpgrade(system, of);
    default:
      return system satisfies never;
  }
};
