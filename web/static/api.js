// Questions to the control plane, and the three ways in which they go wrong: no answer, a refusal, an answer that cannot be
// read. Whatever else is thrown is a fault of the page and is not called by any of these names.

const TIMEOUT_MS = 10_000;

/** The control plane gave no useful answer; the message is for people. */
export class ControlPlaneError extends Error {
  /**
   * @param {"silent" | "refused" | "unreadable"} kind
   * @param {string} message
   */
  constructor(kind, message) {
    super(message);
    this.name = "ControlPlaneError";
    this.kind = kind;
  }
}

/**
 * The JSON that the control plane answers at `/api/v1/` + `path`.
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 * @throws {ControlPlaneError}
 */
export async function ask(path, options = {}) {
  let answer, text;
  try {
    answer = await fetch(`/api/v1/${path}`, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
    text = await answer.text();
  } catch {
    throw new ControlPlaneError("silent", "The control plane does not answer");
  }
  if (!answer.ok) throw new ControlPlaneError("refused", `The control plane answers ${answer.status} to ${name(path)}${reason(text)}`);
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlPlaneError("unreadable", `The control plane's answer to ${name(path)} cannot be read as JSON`);
  }
}

/**
 * As `ask`, for what is answered by a list.
 * @param {string} path
 * @returns {Promise<any[]>}
 */
export async function askList(path) {
  const answer = await ask(path);
  if (!Array.isArray(answer)) throw new ControlPlaneError("unreadable", `The control plane's answer to ${name(path)} is not a list`);
  return answer;
}

/** What was asked, for people. @param {string} path */
const name = (path) => path.split("?")[0];

/**
 * The control plane's own words about a refusal, where it has any.
 * @param {string} text
 */
function reason(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? `: ${error.replace(/\.$/, "")}` : "";
  } catch {
    return "";
  }
}
