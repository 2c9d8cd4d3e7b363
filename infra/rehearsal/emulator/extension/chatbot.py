"""Amazon Q Developer in chat applications, AWS Chatbot before: channels of Slack. Every workspace counts as authorised.

Source: AWS Chatbot API Reference. A channel once in an account: hashicorp/terraform-provider-awscc issue 1011.
"""

from moto.core import DEFAULT_ACCOUNT_ID

from .hooks import store
from .refused import Refused

# What a configuration has that does not say.
DEFAULTS = {
    "LoggingLevel": "NONE",
    "GuardrailPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    "UserAuthorizationRequired": False,
    "SnsTopicArns": [],
}


def _channels():
    """The account's configurations by ARN; the service knows no regions."""
    return store("slack-channels", DEFAULT_ACCOUNT_ID)


def _find(arn):
    if arn not in _channels():
        raise Refused("404 Not Found", "ResourceNotFoundException", f"{arn} does not exist")
    return _channels()[arn]


def _create(body):
    arn = f"arn:aws:chatbot::{DEFAULT_ACCOUNT_ID}:chat-configuration/slack-channel/{body['ConfigurationName']}"
    if arn in _channels():
        raise Refused("409 Conflict", "ConflictException", f"Resource with arn {arn} already exists.")
    team, channel = body["SlackTeamId"], body["SlackChannelId"]
    if any((c["SlackTeamId"], c["SlackChannelId"]) == (team, channel) for c in _channels().values()):
        said = f"Slack channel with ID {channel} in Slack team {team} has already been configured for AWS account {DEFAULT_ACCOUNT_ID}."
        raise Refused("400 Bad Request", "InvalidRequestException", said)
    names = {"SlackTeamName": "workspace " + team, "SlackChannelName": "channel " + channel}
    _channels()[arn] = {**DEFAULTS, "Tags": [], **names, **body, "ChatConfigurationArn": arn, "State": "ENABLED"}
    return {"ChannelConfiguration": _channels()[arn]}


def _describe(body):
    wanted = body.get("ChatConfigurationArn")
    return {"SlackChannelConfigurations": [c for arn, c in _channels().items() if wanted in (None, arn)]}


def _update(body):
    channel = _find(body["ChatConfigurationArn"])
    channel.update(body)
    return {"ChannelConfiguration": channel}


def _delete(body):
    _find(body["ChatConfigurationArn"])
    del _channels()[body["ChatConfigurationArn"]]
    return {}


def _list_tags(body):
    return {"Tags": _find(body["ResourceARN"])["Tags"]}


def _tag(body):
    return _set_tags(body, {t["TagKey"] for t in body["Tags"]}, body["Tags"])


def _untag(body):
    return _set_tags(body, set(body["TagKeys"]), [])


def _set_tags(body, without, more):
    channel = _find(body["ResourceARN"])
    channel["Tags"] = [t for t in channel["Tags"] if t["TagKey"] not in without] + more
    return {}


CALLS = {
    "/create-slack-channel-configuration": _create,
    "/describe-slack-channel-configurations": _describe,
    "/update-slack-channel-configuration": _update,
    "/delete-slack-channel-configuration": _delete,
    "/list-tags-for-resource": _list_tags,
    "/tag-resource": _tag,
    "/untag-resource": _untag,
}


def answer(_region, _method, path, _query, body):
    """The answer to a call."""
    if path not in CALLS:
        raise Refused("501 Not Implemented", "UnknownOperationException", f"the emulator has no {path}")
    return CALLS[path](body)
