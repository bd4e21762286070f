import { compare } from './puppet-upgrade-scope.ts';

/** What an installer of Puppet Enterprise is told by, and what a version is installed from: known here alone. */

/** True from 2016.2 on, where a pe.conf has taken the place of the answers. */
export const hasSettings = (version: string): boolean => compare(version, '2016.2') >= 0;

/** The file that the installer of a version is told by. */
export const answersFileOf = (version: string): string =>
  hasSettings(version) ? '/etc/puppetlabs/enterprise/conf.d/pe.conf' : '/etc/puppetlabs/installer/answers.install';

/** The version in the name that the vendor gives an installer's archive; undefined where it has another name. */
export const installerVersion = (name: string): string | undefined =>
  /^puppet-enterprise-(\d[\d.]*\d)-/.exec(name)?.[1];
