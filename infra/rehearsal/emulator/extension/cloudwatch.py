"""CloudWatch: composite alarms. moto can list them but not make them."""

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import EmptyResult

from .hooks import add

# What a composite alarm does not have and put_metric_alarm wants.
_METRIC_ONLY = (
    "namespace",
    "metric_name",
    "metric_data_queries",
    "comparison_operator",
    "evaluation_periods",
    "datapoints_to_alarm",
    "period",
    "threshold",
    "statistic",
    "extended_statistic",
    "unit",
    "treat_missing_data",
    "evaluate_low_sample_count_percentile",
    "threshold_metric_id",
)


@add(CloudWatchResponse)
def put_composite_alarm(self):
    alarm = self.cloudwatch_backend.put_metric_alarm(
        name=self._get_param("AlarmName"),
        description=self._get_param("AlarmDescription"),
        dimensions=[],
        alarm_actions=self._get_param("AlarmActions", []),
        ok_actions=self._get_param("OKActions", []),
        insufficient_data_actions=self._get_param("InsufficientDataActions", []),
        actions_enabled=self._get_bool_param("ActionsEnabled"),
        rule=self._get_param("AlarmRule"),
        tags=self._get_param("Tags", []),
        **dict.fromkeys(_METRIC_ONLY),
    )
    alarm.alarm_rule = self._get_param("AlarmRule")
    return EmptyResult()
