import asyncio
import os
from urllib.parse import urlsplit

from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_http.middleware.options import ResponseHandlerOption
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.team import Team
from msgraph.generated.models.teams_async_operation_status import TeamsAsyncOperationStatus
from msgraph.generated.teams.item.archive.archive_post_request_body import ArchivePostRequestBody

ROOT = f"{os.environ['GRAPH_ORIGIN']}/v1.0"
NATIVE = RequestConfiguration(options=[ResponseHandlerOption(NativeResponseHandler())])


class Token(AccessTokenProvider):
    async def get_authorization_token(self, uri, additional_authentication_context={}):
        return "token"

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([urlsplit(ROOT).hostname])


async def ended(graph, response):
    if response.status_code != 202:
        raise RuntimeError(response.text)
    url = f"{ROOT}{response.headers['Location']}"
    for _ in range(120):
        await asyncio.sleep(float(os.environ["INTERVAL"]) / 1000)
        operations = graph.teams.by_team_id("-").operations.by_teams_async_operation_id("-")
        operation = await operations.with_url(url).get()
        if operation.status == TeamsAsyncOperationStatus.Succeeded:
            return operation
        if operation.status in (TeamsAsyncOperationStatus.Failed, TeamsAsyncOperationStatus.Invalid):
            raise RuntimeError(operation.error and operation.error.message)
    raise TimeoutError


async def main():
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token()))
    adapter.base_url = ROOT
    graph = GraphServiceClient(request_adapter=adapter)
    new = Team(
        display_name="Rockets",
        additional_data={"template@odata.bind": f"{ROOT}/teamsTemplates('standard')"},
    )
    created = await ended(graph, await graph.teams.post(new, NATIVE))
    team = await graph.teams.by_team_id("-").with_url(f"{ROOT}{created.target_resource_location}").get()
    await ended(graph, await graph.teams.by_team_id(team.id).archive.post(ArchivePostRequestBody(), NATIVE))
    print(team.display_name)


asyncio.run(main())
