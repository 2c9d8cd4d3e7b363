"""Budgets: subscribers, tags, updates. All missing in moto.

Source: AWS Billing and Cost Management API Reference, AWS Budgets.
"""

import json

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import BudgetsBackend
from moto.budgets.responses import BudgetsResponse
from moto.core.utils import unix_time

from .hooks import add, around


def _find(backend, account, name):
    if name not in backend.budgets[account]:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return backend.budgets[account][name]


@add(BudgetsResponse)
def describe_subscribers_for_notification(self):
    wanted = self._get_param("Notification")
    keys = [k for k in ("NotificationType", "ComparisonOperator", "Threshold") if k in wanted]
    budget = _find(self.backend, self._get_param("AccountId"), self._get_param("BudgetName"))
    for notification in budget.notifications:
        if all(notification.details.get(k) == wanted[k] for k in keys):
            return json.dumps({"Subscribers": notification.subscribers})
    raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")


@add(BudgetsResponse)
def update_budget(self):
    new = self._get_param("NewBudget")
    budget = _find(self.backend, self._get_param("AccountId"), new["BudgetName"])
    # A budget that is updated without a period goes on with the one it has.
    period = budget.budget["TimePeriod"]
    budget.budget = {"TimePeriod": period, **new, "LastUpdatedTime": unix_time()}
    return "{}"


@around(BudgetsBackend, "describe_notifications_for_budget")
def describe_notifications_for_budget(original, self, account_id, budget_name):
    _find(self, account_id, budget_name)
    return original(self, account_id, budget_name)


@around(BudgetsResponse, "create_budget")
def create_budget(original, self):
    """moto drops the tags."""
    answer = original(self)
    budget = _find(self.backend, self._get_param("AccountId"), self._get_param("Budget")["BudgetName"])
    budget.tags = {t["Key"]: t["Value"] for t in self._get_param("ResourceTags") or []}
    return answer


def _tagged(self):
    """The tags of the budget of an ARN like arn:aws:budgets::ACCOUNT:budget/NAME. Budget actions are not in moto."""
    arn = self._get_param("ResourceARN")
    account, _, resource = arn.partition(":budgets::")[2].partition(":")
    kind, _, name = resource.partition("/")
    if kind != "budget":
        raise NotFoundException(f"Unable to get resource: {arn} - the resource doesn't exist.")
    return _find(self.backend, account, name).tags


@add(BudgetsResponse)
def list_tags_for_resource(self):
    return json.dumps({"ResourceTags": [{"Key": k, "Value": v} for k, v in _tagged(self).items()]})


@add(BudgetsResponse)
def tag_resource(self):
    _tagged(self).update({t["Key"]: t["Value"] for t in self._get_param("ResourceTags")})
    return "{}"


@add(BudgetsResponse)
def untag_resource(self):
    tags = _tagged(self)
    for key in self._get_param("ResourceTagKeys"):
        tags.pop(key, None)
    return "{}"
