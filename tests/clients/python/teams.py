"""Creates, clones and archives teams with the Python SDK for Microsoft Graph, unmodified, checks
their operations in batches, and reads back what was sent."""

import asyncio
import os
import ssl
from urllib.parse import urlsplit

import httpx
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_http.middleware.options import ResponseHandlerOption
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.clonable_team_parts import ClonableTeamParts
from msgraph.generated.models.team import Team
from msgraph.generated.models.team_visibility_type import TeamVisibilityType
from msgraph.generated.models.teams_async_operation import TeamsAsyncOperation
from msgraph.generated.models.teams_async_operation_status import TeamsAsyncOperationStatus
from msgraph.generated.teams.item.archive.archive_post_request_body import ArchivePostRequestBody
from msgraph.generated.teams.item.clone.clone_post_request_body import ClonePostRequestBody
from msgraph.generated.teams.item.team_item_request_builder import TeamItemRequestBuilder
from msgraph_core import GraphClientFactory
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

ORIGIN = os.environ["GRAPH_ORIGIN"]
ROOT = f"{ORIGIN}/v1.0"
TLS = ssl.create_default_context(cafile=os.environ["GRAPH_CERTIFICATE"])


class Token(AccessTokenProvider):
    """A token that never changes, only for the simulator's host."""

    async def get_authorization_token(self, uri, additional_authentication_context={}):
        assert self.get_allowed_hosts_validator().is_url_host_valid(uri)
        return "token-of-the-python-sdk"

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([urlsplit(ORIGIN).hostname])


def client() -> GraphServiceClient:
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(verify=TLS, base_url=ROOT)
    )
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token()), http)
    adapter.base_url = ROOT
    return GraphServiceClient(request_adapter=adapter)


def native() -> RequestConfiguration:
    """A generated method returns nothing for a 202; this makes it return the response itself."""
    return RequestConfiguration(options=[ResponseHandlerOption(NativeResponseHandler())])


def path(response: httpx.Response) -> str:
    """The path of the operation that a starting response names."""
    assert response.status_code == 202, response.text
    return response.headers["Location"]


async def read_all(graph: GraphServiceClient, paths: list[str], model):
    """Reads several paths in one batch."""
    content = BatchRequestContent()
    items = []
    for each in paths:
        request = graph.teams.with_url(f"{ROOT}{each}").to_get_request_information()
        item = BatchRequestItem(request)
        # The SDK leaves the absolute URL in, which the service does not accept.
        item.url = item.url.removeprefix(ROOT)
        content.add_request(item.id, item)
        items.append(item)
    responses = await graph.batch.post(content)
    for item in items:
        assert responses.get_response_by_id(item.id).status == 200
    return [responses.response_body(item.id, model) for item in items]


async def ended(graph: GraphServiceClient, operations: list[str]) -> list[TeamsAsyncOperation]:
    """Checks operations, all in one batch, until each has ended."""
    for check in range(1, 10):
        documents = await read_all(graph, operations, TeamsAsyncOperation)
        print(f"  check {check}:", ", ".join(each.status.value for each in documents))
        if all(each.status == TeamsAsyncOperationStatus.Succeeded for each in documents):
            return documents
    raise AssertionError("no end")


async def main() -> None:
    graph = client()

    print("create")
    sent = Team(
        display_name="Rockets",
        description="They fly.",
        visibility=TeamVisibilityType.Public,
        additional_data={"template@odata.bind": f"{ROOT}/teamsTemplates('standard')"},
    )
    [created] = await ended(graph, [path(await graph.teams.post(sent, native()))])
    team = await graph.teams.by_team_id(created.target_resource_id).get()
    assert (team.display_name, team.description) == (sent.display_name, sent.description)
    assert team.visibility == sent.visibility

    print("clone")
    clone = ClonePostRequestBody(
        display_name="Gliders",
        mail_nickname="gliders",
        parts_to_clone=ClonableTeamParts.Apps,
        visibility=TeamVisibilityType.Private,
    )
    started = await graph.teams.by_team_id(team.id).clone.post(clone, native())
    [cloned] = await ended(graph, [path(started)])
    assert cloned.target_resource_id != team.id

    print("archive both")
    both = [team.id, cloned.target_resource_id]
    started = [
        path(await graph.teams.by_team_id(each).archive.post(ArchivePostRequestBody(), native()))
        for each in both
    ]
    await ended(graph, started)

    print("read back")
    teams = await read_all(graph, [f"/teams/{each}" for each in both], Team)
    assert [(each.display_name, each.visibility, each.is_archived) for each in teams] == [
        ("Rockets", TeamVisibilityType.Public, True),
        ("Gliders", TeamVisibilityType.Private, True),
    ]
    select = TeamItemRequestBuilder.TeamItemRequestBuilderGetQueryParameters(select=["displayName"])
    selected = await graph.teams.by_team_id(team.id).get(RequestConfiguration(query_parameters=select))
    assert (selected.display_name, selected.visibility) == ("Rockets", None)
    print(" ", ", ".join(each.display_name for each in (await graph.teams.get()).value))

    print("an error")
    try:
        await graph.teams.by_team_id("unknown").archive.post(ArchivePostRequestBody())
        raise AssertionError("no error")
    except ODataError as error:
        assert (error.response_status_code, error.error.code) == (404, "NotFound")
        print(" ", error.error.message)

    async with httpx.AsyncClient(verify=TLS) as control:
        records = (await control.get(f"{ORIGIN}/_simulator/requests")).json()
        tokens = {each["token"] for each in records if each["path"].startswith("/v1.0/")}
        assert tokens == {"token-1"}, tokens
        counts = (await control.get(f"{ORIGIN}/_simulator/health")).json()["counts"]
    print(
        f"{counts['requests']} requests, {counts['batches']} of them batches"
        f" with {counts['items']} requests"
    )


asyncio.run(main())
