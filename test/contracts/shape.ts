import * as z from 'zod';

/** What is known of a JSON value before it is there: what a state machine's data may look like in one of its states. */
export type Shape = { readonly from?: string | undefined } & (
  | { readonly kind: 'any' | 'string' | 'number' | 'boolean' | 'null' }
  | { readonly kind: 'const'; readonly value: string | number | boolean }
  | { readonly kind: 'array'; readonly items: Shape; readonly isEmpty: boolean }
  | {
      readonly kind: 'object';
      readonly fields: Readonly<Record<string, Shape>>;
      /** Fields that may be missing. */
      readonly optional: readonly string[];
      /** True when it may have fields that are not named. */
      readonly isOpen: boolean;
    }
  | { readonly kind: 'union'; readonly members: readonly Shape[] }
);

export const any: Shape = { kind: 'any' };
export const text: Shape = { kind: 'string' };
export const count: Shape = { kind: 'number' };

export const objectOf = (fields: Readonly<Record<string, Shape>>): Shape => ({
  ...{ kind: 'object', fields, optional: [], isOpen: false },
});

/** Members of a union, or the shape itself. */
export const membersOf = (shape: Shape): readonly Shape[] =>
  shape.kind === 'union' ? shape.members.flatMap(membersOf) : [shape];

export const unionOf = (shapes: readonly Shape[]): Shape => {
  const members = [...new Map(shapes.flatMap(membersOf).map((one) => [JSON.stringify(one), one])).values()];
  return members.length === 1 && members[0] ? members[0] : { kind: 'union', members };
};

/** The shape of a constant. */
export const constant = (value: unknown): Shape => {
  if (value === null) return { kind: 'null' };
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return { kind: 'const', value };
  if (Array.isArray(value)) return { kind: 'array', items: unionOf(value.map(constant)), isEmpty: value.length === 0 };
  const fields = z.record(z.string(), z.unknown()).parse(value);
  return objectOf(Object.fromEntries(Object.entries(fields).map(([key, part]) => [key, constant(part)])));
};

/** As much of JSON Schema as zod writes for payloads. */
const Schema = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  const: z.union([z.string(), z.number(), z.boolean()]).optional(),
  enum: z.array(z.union([z.string(), z.number(), z.boolean()])).optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).default([]),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  maxItems: z.number().optional(),
});

const ofJsonSchema = (schema: unknown, from: string): Shape => {
  const parsed = Schema.parse(schema ?? {});
  const { type, required, properties = {}, maxItems } = parsed;
  const alternatives = parsed.anyOf ?? parsed.oneOf;
  if (alternatives) return unionOf(alternatives.map((one) => ofJsonSchema(one, from)));
  if (parsed.const !== undefined) return { kind: 'const', value: parsed.const, from };
  if (parsed.enum) return unionOf(parsed.enum.map((value) => ({ kind: 'const', value, from })));
  if (Array.isArray(type)) return unionOf(type.map((one) => ofJsonSchema({ ...parsed, type: one }, from)));
  switch (type) {
    case 'object':
      return {
        kind: 'object',
        from,
        fields: Object.fromEntries(
          Object.entries(properties).map(([key, part]) => [key, ofJsonSchema(part, `${from}.${key}`)]),
        ),
        optional: Object.keys(properties).filter((key) => !required.includes(key)),
        isOpen: typeof parsed.additionalProperties === 'object',
      };
    case 'array':
      return { kind: 'array', from, items: ofJsonSchema(parsed.items, `${from}[]`), isEmpty: maxItems === 0 };
    case 'string':
    case 'boolean':
    case 'null':
      return { kind: type, from };
    case 'integer':
    case 'number':
      return { kind: 'number', from };
    default:
      return { kind: 'any', from };
  }
};

const known = new Map<string, Shape>();

/** The shape of what a schema reads (`input`) or gives (`output`); `from` says whose it is, and is the same for the same schema. */
export const shapeOf = (schema: z.ZodType, io: 'input' | 'output', from: string): Shape => {
  const shape = known.get(from) ?? ofJsonSchema(z.toJSONSchema(schema, { io, unrepresentable: 'any' }), from);
  known.set(from, shape);
  return shape;
};

/** What lies at a path, given as names; undefined when it may be missing in one of the shape's forms. */
export const at = (shape: Shape, path: readonly string[]): Shape | undefined => {
  const [name, ...rest] = path;
  if (name === undefined || shape.kind === 'any') return shape;
  if (shape.kind === 'union') {
    const found = shape.members.map((one) => at(one, path));
    const known = found.filter((one) => one !== undefined);
    return known.length === found.length ? unionOf(known) : undefined;
  }
  if (shape.kind !== 'object') return undefined;
  const field = shape.fields[name];
  if (field === undefined) return shape.isOpen ? any : undefined;
  return shape.optional.includes(name) ? undefined : at(field, rest);
};

const isSame = (one: Shape | undefined, other: Shape | undefined): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

/** True when the second shape has everything that the first has. */
export const isPartOf = (part: Shape, whole: Shape): boolean =>
  part.kind === 'object' && whole.kind === 'object'
    ? Object.entries(part.fields).every(([name, field]) => isSame(field, whole.fields[name]))
    : isSame(part, whole);

/** The forms of a shape in which there is something at a path. */
export const having = (shape: Shape, path: readonly string[]): Shape =>
  unionOf(membersOf(shape).filter((one) => at(one, path) !== undefined));

/** Whose the object is in which a path ends too early, and what it has. */
export const whyMissing = (shape: Shape, path: readonly string[]): string => {
  for (const member of membersOf(shape)) {
    if (at(member, path) !== undefined) continue;
    const [name = '', ...rest] = path;
    if (member.kind !== 'object') return `${member.from ?? 'what is there'} is no object`;
    const field = member.fields[name];
    if (field !== undefined && !member.optional.includes(name)) return whyMissing(field, rest);
    const whose = member.from ?? 'the state';
    const has = Object.keys(member.fields).join(', ') || 'nothing';
    return field === undefined ? `${whose} has no ${name}; it has: ${has}` : `${whose} may have no ${name}`;
  }
  return '';
};

/** The shape with something else at a path. */
export const put = (shape: Shape, path: readonly string[], value: Shape): Shape => {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (shape.kind === 'union') return unionOf(shape.members.map((one) => put(one, path, value)));
  if (shape.kind === 'any') return shape;
  if (shape.kind !== 'object') return put(objectOf({}), path, value);
  return {
    ...shape,
    fields: { ...shape.fields, [name]: put(shape.fields[name] ?? objectOf({}), rest, value) },
    optional: shape.optional.filter((one) => one !== name),
  };
};

/** The forms of a shape in which what lies at a path may be, or may differ from, a constant; undefined when there are none. */
export const narrow = (shape: Shape, path: readonly string[], value: unknown, isEqual: boolean): Shape | undefined => {
  const [name, ...rest] = path;
  if (name === undefined)
    return membersOf(shape).some((one) => one.kind !== 'const' || (one.value === value) === isEqual)
      ? shape
      : undefined;
  if (shape.kind === 'union') {
    const members = shape.members.map((one) => narrow(one, path, value, isEqual)).filter((one) => one !== undefined);
    return members.length === 0 ? undefined : unionOf(members);
  }
  const field = shape.kind === 'object' ? shape.fields[name] : undefined;
  if (shape.kind !== 'object' || !field) return shape;
  const narrowed = narrow(field, rest, value, isEqual);
  return narrowed && { ...shape, fields: { ...shape.fields, [name]: narrowed } };
};

/** True when a value of the first shape may be one of the second. */
const mayBe = (shape: Shape, expected: Shape): boolean => {
  if (shape.kind === 'any' || expected.kind === 'any') return true;
  if (shape.kind === 'const')
    return expected.kind === 'const' ? shape.value === expected.value : typeof shape.value === expected.kind;
  if (shape.kind === 'object') return faultsOf(shape, expected).length === 0;
  return shape.kind === expected.kind || (expected.kind === 'const' && typeof expected.value === shape.kind);
};

/** What keeps values of a shape from being what is expected, by field. */
export const faultsOf = (shape: Shape, expected: Shape): readonly string[] => {
  if (shape.kind === 'union') return [...new Set(shape.members.flatMap((one) => faultsOf(one, expected)))];
  if (expected.kind === 'union') {
    const others = expected.members.map((one) => faultsOf(shape, one));
    return others.some((faults) => faults.length === 0) ? [] : (others[0] ?? []);
  }
  if (shape.kind !== 'object' || expected.kind !== 'object')
    return mayBe(shape, expected)
      ? []
      : [`${expected.from} can't be ${shape.kind === 'const' ? JSON.stringify(shape.value) : `a ${shape.kind}`}`];
  const unknown = Object.keys(shape.fields).filter((name) => !expected.isOpen && !(name in expected.fields));
  const missing = Object.keys(expected.fields).filter(
    (name) => !expected.optional.includes(name) && (!(name in shape.fields) || shape.optional.includes(name)),
  );
  return [
    ...unknown.map((name) => `${expected.from} has no ${name}; it has: ${Object.keys(expected.fields).join(', ')}`),
    ...missing.map((name) => `${expected.from}.${name} is missing`),
    ...Object.entries(expected.fields).flatMap(([name, field]) => {
      const given = shape.fields[name];
      return given ? faultsOf(given, field) : [];
    }),
  ];
};
