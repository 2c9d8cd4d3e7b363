"""IAM: roles of AWS's services have AWS's spelling, and an account has one of each."""

from moto.iam.exceptions import InvalidInput
from moto.iam.models import SERVICE_NAME_CONVERSION, IAMBackend

from .hooks import around

# moto knows the spelling of some. Source: AWS IAM User Guide, "AWS services that work with IAM", service-linked roles.
SERVICE_NAME_CONVERSION.update(
    {"backup": "Backup", "config": "Config", "elasticloadbalancing": "ElasticLoadBalancing", "rds": "RDS"}
)


@around(IAMBackend, "create_service_linked_role")
def create_service_linked_role(original, self, service_name, description, suffix):
    path = f"/aws-service-role/{service_name}/"
    for role in self.roles.values():
        if role.path == path and not suffix:
            message = f"Service role name {role.name} has been taken in this account, please try a different suffix."
            raise InvalidInput(message)
    return original(self, service_name, description, suffix)
