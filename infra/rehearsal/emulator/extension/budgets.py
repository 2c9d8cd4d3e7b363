"""Budgets: subscribers, tags, updates. All missing in moto."""

import json

from moto.budgets.responses import BudgetsResponse

from .hooks import add


def _budget(self, name):
    return self.backend.budgets[self._get_param("AccountId")][name]


@add(BudgetsResponse)
def describe_subscribers_for_notification(self):
    wanted = self._get_param("Notification")
    keys = [k for k in ("NotificationType", "ComparisonOperator", "Threshold") if k in wanted]
    for notification in _budget(self, self._get_param("BudgetName")).notifications:
        if all(notification.details.get(k) == wanted[k] for k in keys):
            return json.dumps({"Subscribers": notification.subscribers})
    return json.dumps({"Subscribers": []})


@add(BudgetsResponse)
def list_tags_for_resource(self):
    return json.dumps({"ResourceTags": []})


@add(BudgetsResponse)
def update_budget(self):
    new = self._get_param("NewBudget")
    _budget(self, new["BudgetName"]).budget.update(new)
    return "{}"
