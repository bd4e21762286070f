import type { Contract } from '#domain/contracts/document';
import * as shared from '#domain/contracts/shared';
import type { Inspection } from '#domain/inspection';
import { answersOf, type NodeAnswer, type PhaseState } from '#domain/phase';
import * as juju from './juju-documents.ts';
import * as puppet from './puppet-documents.ts';

/** Every document of Holdfast. */
export const documents: readonly Contract[] = [
  ...Object.values(shared),
  ...Object.values(puppet),
  ...Object.values(juju),
];

/** What the nodes were found to hold in a phase that inspects them. */
export const inspectionsIn = (state: PhaseState): readonly NodeAnswer<Inspection>[] => [
  ...answersOf(state, puppet.inspectPuppet),
  ...answersOf(state, juju.inspectJuju),
];
