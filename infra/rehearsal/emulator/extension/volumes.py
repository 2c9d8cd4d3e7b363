"""EBS: a volume is attached to one instance at a time, where moto lets the second one take it away; and a volume of type
gp3 has a throughput, whether it was asked for or not."""

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend

from .hooks import around


class VolumeInUse(EC2ClientError):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"""

    def __init__(self, volume):
        super().__init__("VolumeInUse", f"{volume} is already attached to an instance")


class IncorrectState(EC2ClientError):
    def __init__(self, instance, state):
        super().__init__("IncorrectState", f"Instance '{instance}' is not 'running'; it is '{state}'")


@around(EBSBackend, "attach_volume")
def attach_volume(original, self, volume_id, instance_id, device_path, delete_on_termination=False):
    attachment = self.get_volume(volume_id).attachment
    if attachment:
        raise VolumeInUse(volume_id)
    instance = self.get_instance_by_id(instance_id)
    # One that is about to be launched is not known yet.
    if instance is not None and instance.state not in ("running", "stopped"):
        raise IncorrectState(instance_id, instance.state)
    return original(self, volume_id, instance_id, device_path, delete_on_termination)


@around(EBSBackend, "create_volume")
def create_volume(original, self, *args, **kwargs):
    """https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html: gp3 begins with 3,000 IOPS and 125 MiB/s."""
    volume = original(self, *args, **kwargs)
    if volume.volume_type == "gp3":
        volume.iops = volume.iops or 3000
        volume.throughput = volume.throughput or 125
    return volume
