// Creates, clones and archives teams with Microsoft's JavaScript client, unmodified, checks their
// operations in batches, and reads back what was sent.

import assert from "node:assert/strict";
import { BatchRequestContent, BatchResponseContent, Client, ResponseType } from "@microsoft/microsoft-graph-client";

const origin = process.env.GRAPH_ORIGIN;
const graph = Client.init({
    baseUrl: `${origin}/`,
    // The client sends its token to Microsoft's hosts and to these, and only over HTTPS.
    customHosts: new Set([new URL(origin).hostname]),
    authProvider: (done) => done(null, "token-of-the-javascript-client"),
});

/** Sends a request that starts an operation, and returns the operation's path. */
async function start(path, body) {
    const response = await graph.api(path).responseType(ResponseType.RAW).post(body);
    assert.equal(response.status, 202);
    return response.headers.get("Location");
}

/** Reads several paths in one batch. */
async function readAll(paths) {
    const steps = paths.map((path, index) => ({
        id: String(index + 1),
        request: new Request(`${origin}${path}`, { method: "GET" }),
    }));
    const content = await new BatchRequestContent(steps).getContent();
    const responses = new BatchResponseContent(await graph.api("/$batch").post(content));
    return Promise.all(
        steps.map(async ({ id }) => {
            const response = responses.getResponseById(id);
            assert.equal(response.status, 200);
            return response.json();
        }),
    );
}

/** Checks operations, all in one batch, until each has ended. */
async function ended(operations) {
    for (let checks = 1; ; checks += 1) {
        const documents = await readAll(operations);
        console.log(`  check ${checks}: ${documents.map(({ status }) => status).join(", ")}`);
        if (documents.every(({ status }) => ["succeeded", "failed"].includes(status))) {
            for (const document of documents) {
                assert.equal(document.status, "succeeded");
            }
            return documents;
        }
        assert.ok(checks < 10);
    }
}

console.log("create");
const sent = {
    "template@odata.bind": `${origin}/v1.0/teamsTemplates('standard')`,
    displayName: "Rockets",
    description: "They fly.",
    visibility: "public",
};
const [created] = await ended([await start("/teams", sent)]);
const team = await graph.api(`/teams/${created.targetResourceId}`).get();
for (const property of ["displayName", "description", "visibility"]) {
    assert.equal(team[property], sent[property]);
}

console.log("clone");
const clone = { displayName: "Gliders", mailNickname: "gliders", partsToClone: "apps", visibility: "private" };
const [cloned] = await ended([await start(`/teams/${team.id}/clone`, clone)]);
assert.notEqual(cloned.targetResourceId, team.id);

console.log("archive both");
const both = [team.id, cloned.targetResourceId];
await ended(await Promise.all(both.map((id) => start(`/teams/${id}/archive`, {}))));

console.log("read back");
const teams = await readAll(both.map((id) => `/teams/${id}?$select=displayName,visibility,isArchived`));
assert.deepEqual(
    teams.map(({ displayName, visibility, isArchived }) => ({ displayName, visibility, isArchived })),
    [
        { displayName: "Rockets", visibility: "public", isArchived: true },
        { displayName: "Gliders", visibility: "private", isArchived: true },
    ],
);
const { value } = await graph.api("/teams").select("displayName").get();
console.log(`  ${value.map(({ displayName }) => displayName).join(", ")}`);

console.log("an error");
const error = await graph.api("/teams/unknown/archive").post({}).then(assert.fail, (error) => error);
assert.equal(error.statusCode, 404);
assert.equal(error.code, "NotFound");
console.log(`  ${error.message}`);

const records = await (await fetch(`${origin}/_simulator/requests`)).json();
const tokens = new Set(records.filter(({ path }) => path.startsWith("/v1.0/")).map(({ token }) => token));
assert.deepEqual([...tokens], ["token-1"]);
const { counts } = await (await fetch(`${origin}/_simulator/health`)).json();
console.log(`${counts.requests} requests, ${counts.batches} of them batches with ${counts.items} requests`);
