/** What moves a cursor, or has text read in another direction than it is written. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const CONTROL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
/** The same, but for the ends of lines and the colours that this program sets. */
const CONTROL_IN_LINES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  /\x1b(?!\[[0-9;]{0,16}m)|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A name, label or message that somebody else wrote, as it may stand in a line of a terminal. */
export function printable(text: string): string {
  return text.replace(CONTROL, '?')
}

/** Lines that this program made, with whatever of others’ words is still in them. */
export function printableLines(text: string): string {
  return text.replace(CONTROL_IN_LINES, '?')
}
