// The official TypeScript client, unmodified, against a real server. One group of calls after the other, each named when it begins.
import assert from "node:assert/strict"
import { mkdtemp, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Box, BoxError, EphemeralBox } from "@upstash/box"
import { z } from "zod"

const SAY = `import sys, json
prompt = sys.argv[2].split("\\n")[0]
def emit(event, **data): print("event: %s\\ndata: %s\\n" % (event, json.dumps(data)), flush=True)
if prompt == "fail": emit("error", error="it failed"); sys.exit(1)
emit("tool", toolCallId="t1", name="look", input={}); emit("tool_result", toolCallId="t1", output="seen"); emit("text", text="said ")
emit("done", output=json.dumps({"count": 3}) if prompt == "json" else "said " + prompt, input_tokens=5, output_tokens=2, total_cost_usd=0.5)`
const agent = { harness: "custom", model: "custom", customHarness: { command: "python3", args: ["-c", SAY] } }

const refused = (work, status) => assert.rejects(work, error => error instanceof BoxError && (!status || error.statusCode === status))

const groups = {
  async account() {
    const box = await Box.create({ name: "ts-one", labels: ["ts"], env: { WORD: "given" }, networkPolicy: { mode: "deny-all" } })
    assert.equal((await Box.get(box.id)).id, box.id)
    assert.equal((await Box.getByName("ts-one")).id, box.id)
    assert.deepEqual((await Box.list({ label: "ts" })).map(listed => listed.id), [box.id])
    assert.deepEqual(box.networkPolicy, { mode: "deny-all" })
    assert.equal((await box.exec.command("echo $WORD")).result.trim(), "given")
    await Box.setAllEnv({ A: "everywhere-the-same" })
    await Box.setEnv("B", "2")
    assert.deepEqual(Object.keys(await Box.listEnv()).sort(), ["A", "B"])
    await Box.deleteEnv("A")
    await Box.setAllEnv({})
    await Box.delete({ boxIds: box.id })
    assert.deepEqual(await Box.list({ label: "ts" }), [])
    await refused(Box.get("no-such-box"), 404)
  },
  async lifecycle(box) {
    await box.pause()
    assert.equal((await box.getStatus()).status, "paused")
    await box.resume()
    assert.equal((await box.getStatus()).status, "idle")
    assert.deepEqual(await box.labels.add("more"), ["more"])
    assert.deepEqual(await box.labels.remove("more"), [])
    await box.updateNetworkPolicy({ mode: "custom", allowedDomains: ["example.com"] })
    assert.ok((await box.logs()).length > 0)
    assert.ok((await box.listRuns()).every(run => ["agent", "shell"].includes(run.type)))
    const alive = await Box.create({ keepAlive: true, initCommand: "echo started > /workspace/home/started" })
    assert.equal(await alive.getInitCommand(), "echo started > /workspace/home/started")
    await alive.setInitCommand("true")
    await alive.deleteInitCommand()
    await alive.delete()
  },
  async exec(box) {
    const run = await box.exec.command("echo out; echo err >&2; exit 3")
    assert.deepEqual([run.exitCode, run.stdout, run.stderr], [3, "out\n", "err\n"])
    assert.equal((await box.exec.code({ code: "print(6 * 7)", lang: "python" })).result.trim(), "42")
    const chunks = []
    for await (const chunk of await box.exec.stream("echo 1; sleep 0.3; echo 2; exit 4")) chunks.push(chunk)
    assert.ok(chunks.filter(chunk => chunk.type === "output").length >= 2)
    assert.deepEqual([chunks.at(-1).type, chunks.at(-1).exitCode], ["exit", 4])
    for await (const chunk of await box.exec.streamCode({ code: "console.log(1)", lang: "js" })) chunks.push(chunk)
    assert.equal(chunks.at(-1).exitCode, 0)
    await box.exec.command("mkdir -p sub")
    await box.cd("sub")
    assert.equal((await box.exec.command("pwd")).result.trim(), "/workspace/home/sub")
    await box.cd("..")
  },
  async files(box) {
    const folder = await mkdtemp(join(tmpdir(), "box-ts-"))
    await box.files.write({ path: "deep/a.txt", content: "äöü" })
    assert.equal(await box.files.read("deep/a.txt"), "äöü")
    await box.files.write({ path: "b", content: "AAEC/w==", encoding: "base64" })
    assert.equal(await box.files.read("b", { encoding: "base64" }), "AAEC/w==")
    await writeFile(join(folder, "up1"), "one")
    await writeFile(join(folder, "up2"), "two")
    await box.files.upload([{ path: join(folder, "up1"), destination: "up/1" }, { path: join(folder, "up2"), destination: "up/2" }])
    assert.deepEqual((await box.files.list("up")).map(entry => entry.name), ["1", "2"])
    process.chdir(folder)
    await box.files.download({ folder: "up" })
    const down = await Promise.any([readFile(join(folder, "2"), "utf8"), readFile(join(folder, "up", "2"), "utf8")])
    assert.equal(down, "two")
    await refused(box.files.read("missing"), 404)
  },
  async git(box) {
    await box.exec.command("git init -q --bare -b main origin.git")
    await box.git.clone({ repo: "file:///workspace/home/origin.git" })
    await box.cd("origin")
    await box.files.write({ path: "f", content: "1\n" })
    assert.equal((await box.git.status()).trim(), "?? f")
    await box.git.exec({ args: ["add", "f"] })
    assert.match(await box.git.diff(), /\+1/)
    assert.equal((await box.git.updateConfig({ userName: "N", userEmail: "n@example.com" })).git_user_name, "N")
    const made = await box.git.commit({ message: "first" })
    assert.match(made.sha, /^[0-9a-f]{40}$/)
    await box.git.checkout({ branch: "topic" })
    await box.git.push()
    await refused(box.git.createPR({ title: "x" }), 400)
    await box.cd("..")
  },
  async snapshots(box) {
    await box.files.write({ path: "kept", content: "1" })
    const kept = await box.snapshot({ name: "base" })
    assert.ok((await box.listSnapshots()).some(entry => entry.id === kept.id))
    const again = await Box.fromSnapshot(kept.id)
    assert.equal(await again.files.read("kept"), "1")
    const short = await EphemeralBox.fromSnapshot(kept.id, { ttl: 60 })
    assert.equal((await short.exec.command("cat kept")).result, "1")
    await short.delete()
    await again.delete()
    await box.deleteSnapshot(kept.id)
    await box.snapshot({ name: "other" })
    assert.ok((await Box.deleteSnapshots()).deleted >= 1) // a body of {} means all
    assert.deepEqual(await box.listSnapshots(), [])
  },
  async agents() {
    const box = await Box.create({ agent })
    assert.equal(box.modelConfig.model, "custom")
    const tools = []
    const run = await box.agent.run({ prompt: "hello", onToolUse: tool => tools.push(tool.name) })
    assert.deepEqual([run.result, run.cost.inputTokens, run.cost.totalUsd, tools], ["said hello", 5, 0.5, ["look"]])
    const structured = await box.agent.run({ prompt: "json", responseSchema: z.object({ count: z.number() }) })
    assert.deepEqual(structured.result, { count: 3 })
    const kinds = []
    for await (const chunk of await box.agent.stream({ prompt: "x" })) kinds.push(chunk.type)
    assert.deepEqual(kinds, ["start", "tool-call", "tool-result", "text-delta", "finish"])
    await refused(box.agent.run({ prompt: "fail" }))
    await box.configureModel("other")
    const answer = await box.agent.run({ prompt: "later", webhook: { url: process.env.HOOK } })
    for (let tries = 0; (await box.listRuns()).find(run => run.id === answer.id).status !== "completed"; tries++) assert.ok(tries < 500)
    await box.delete()
  },
  async schedules(box) {
    const made = await box.schedule.exec({ cron: "0 5 * * *", command: ["true"] })
    assert.deepEqual(await box.schedule.list(), [made])
    await box.schedule.pause(made.id)
    assert.equal((await box.schedule.get(made.id)).status, "paused")
    await box.schedule.resume(made.id)
    await box.schedule.delete(made.id)
    assert.deepEqual(await box.schedule.list(), [])
  },
  async urls(box) {
    const made = await box.getPublicURL(8000, { bearerToken: true })
    assert.ok(made.token && !made.password)
    const { publicURLs, previews } = await box.listPublicURLs()
    assert.deepEqual((publicURLs ?? previews).map(entry => entry.url), [made.url])
    await box.deletePublicURL(8000)
  },
}

const box = await Box.create()
try {
  for (const [name, group] of Object.entries(groups)) {
    console.log(name)
    await group(box)
  }
} finally {
  await box.delete()
}
console.log("done")
