import { encoded, statementOf, ticketTakes } from '#domain/contracts/document';
import { anyNode } from '#domain/contracts/parameters';
import { type Command, timeoutParameter } from '#domain/plan';
import type { Tickets } from '#domain/ports';
import { documents } from './documents.ts';

const looking = new Set(documents.filter(({ changesNode }) => !changesNode).map(({ name }) => name));

/**
 * Returns a command as its nodes take it: one that changes them brings a ticket, which is good for this very command alone. `nonce` was
 * given to no other.
 */
export const withTicket = async (tickets: Tickets, command: Command, nonce: string): Promise<Command> => {
  if (looking.has(command.document)) return command;
  const { Nodes, Nonce, Ticket } = ticketTakes;
  const given = {
    ...command.parameters,
    ...encoded('Holdfast', { Nodes, Nonce }, { Nodes: command.tags ? [anyNode] : command.instanceIds, Nonce: nonce }),
  };
  const signature = await tickets.sign(statementOf(command.document, { ...given, ...timeoutParameter(command) }));
  return { ...command, parameters: { ...given, ...encoded('Holdfast', { Ticket }, { Ticket: signature }) } };
};
