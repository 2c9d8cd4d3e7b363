"""CloudWatch Logs: saved queries, which moto does not know, and metric filters that are written again.

Source: Amazon CloudWatch Logs API Reference, PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition, PutMetricFilter.
"""

import json

from moto.core.utils import unix_time_millis
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse
from moto.moto_api._internal import mock_random

from .hooks import add, around, store

# What the service takes.
_NAME, _QUERY, _GROUPS, _PAGE = 255, 10_000, 50, 1000


def _saved(self):
    return store("query-definitions", self.current_account, self.region)


@add(LogsResponse)
def put_query_definition(self):
    """With an id, the query of that id becomes what is given; nothing of it stays."""
    name, query = self._get_param("name") or "", self._get_param("queryString") or ""
    groups = self._get_param("logGroupNames") or []
    if not 0 < len(name) <= _NAME:
        raise InvalidParameterException(constraint=f"Member must have length between 1 and {_NAME}", parameter="name", value=name)
    if not 0 < len(query) <= _QUERY:
        raise InvalidParameterException(constraint=f"Member must have length between 1 and {_QUERY}", parameter="queryString", value=query)
    if len(groups) > _GROUPS:
        raise InvalidParameterException(constraint=f"at most {_GROUPS} log groups", parameter="logGroupNames", value=groups)
    key = self._get_param("queryDefinitionId")
    if key and key not in _saved(self):
        raise ResourceNotFoundException("The specified query definition does not exist.")
    key = key or str(mock_random.uuid4())
    _saved(self)[key] = {
        "queryLanguage": "CWLI",
        "queryDefinitionId": key,
        "name": name,
        "queryString": query,
        "logGroupNames": groups,
        "lastModified": int(unix_time_millis()),
    }
    return json.dumps({"queryDefinitionId": key})


@add(LogsResponse)
def describe_query_definitions(self):
    prefix, size = self._get_param("queryDefinitionNamePrefix") or "", self._get_param("maxResults") or _PAGE
    begin = int(self._get_param("nextToken") or 0)
    found = [q for q in sorted(_saved(self).values(), key=lambda q: q["name"]) if q["name"].startswith(prefix)]
    answer = {"queryDefinitions": found[begin : begin + size]}
    if begin + size < len(found):
        answer["nextToken"] = str(begin + size)
    return json.dumps(answer)


@add(LogsResponse)
def delete_query_definition(self):
    if _saved(self).pop(self._get_param("queryDefinitionId"), None) is None:
        raise ResourceNotFoundException("The specified query definition does not exist.")
    return json.dumps({"success": True})


@around(LogsBackend, "put_metric_filter")
def put_metric_filter(original, self, filter_name, filter_pattern, log_group_name, metric_transformations):
    """A log group has one filter of a name. moto keeps the one from before as well, and takes filters of no group."""
    if log_group_name not in self.groups:
        raise ResourceNotFoundException()
    self.filters.delete_filter(filter_name, log_group_name)
    original(self, filter_name, filter_pattern, log_group_name, metric_transformations)
