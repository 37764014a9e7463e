import { Client, ResponseType } from "@microsoft/microsoft-graph-client";

const origin = process.env.GRAPH_ORIGIN;
const graph = Client.init({
    baseUrl: `${origin}/`,
    customHosts: new Set([new URL(origin).hostname]),
    authProvider: (done) => done(null, "token"),
});

async function ended(path, body) {
    const response = await graph.api(path).responseType(ResponseType.RAW).post(body);
    if (response.status !== 202) throw new Error(await response.text());
    for (let checks = 0; checks < 120; checks += 1) {
        await new Promise((resolve) => setTimeout(resolve, process.env.INTERVAL));
        const operation = await graph.api(response.headers.get("Location")).get();
        if (operation.status === "succeeded") return operation;
        if (["failed", "invalid"].includes(operation.status)) throw new Error(operation.error?.message);
    }
    throw new Error("timed out");
}

const created = await ended("/teams", {
    "template@odata.bind": `${origin}/v1.0/teamsTemplates('standard')`,
    displayName: "Rockets",
});
const team = await graph.api(created.targetResourceLocation).get();
await ended(`/teams/${team.id}/archive`, {});
console.log(team.displayName);
