/** What the pages have in common. */

export const element = (id) => document.getElementById(id);
export const percent = (value) => `${(100 * value).toFixed(1)} %`;

/** Loads a student, shows the form and the model card, and lets the page use the student. */
export async function open(Kind, use) {
  try {
    const student = await Kind.load();
    element("status").hidden = true;
    element("form").hidden = element("card").hidden = false;
    await use(student);
    document.documentElement.dataset.ready = "";
  } catch (error) {
    fail(error);
  }
}

/** Returns a function that does a job of some length: one at a time, and then once more for what was typed meanwhile. */
export function oneAtATime(job) {
  let isBusy = false, isStale = false;
  return async () => {
    if (isBusy) return void (isStale = true);
    isBusy = true;
    do {
      isStale = false;
      element("status").hidden = true;
      await job().catch(fail);
    } while (isStale);
    isBusy = false;
  };
}

function fail(error) {
  element("answer").textContent = "";
  element("status").textContent = `It does not work here: ${error.message ?? error}`;
  element("status").hidden = false;
}

/** Fills the model card; `kind` has the facts that only models of this kind have. */
export function describe(info, kind, examples) {
  const metrics = Object.entries(info.metrics ?? {}).map(([name, value]) => [name.replaceAll("_", " "), value.toFixed(4)]);
  const facts = [
    ["task", info.task || "not known"], ...kind,
    ...metrics, ...(metrics.length ? [["measured on", `${info.metric_texts.toLocaleString("en")} ${examples}`]] : []),
    ["parameters", info.parameters.toLocaleString("en")], ["number format", info.variant],
    ["size", `${(info.size_bytes / 1e6).toFixed(2)} MB`], ["most tokens", info.sequence_length],
    ["WordPieces", info.vocabulary_size.toLocaleString("en")], ["SHA-256", info.sha256],
  ];
  element("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const term = document.createElement("dt"), fact = document.createElement("dd");
    [term.textContent, fact.textContent] = [name, value];
    return [term, fact];
  }));
}
