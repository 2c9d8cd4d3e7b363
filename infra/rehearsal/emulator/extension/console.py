"""GetConsoleOutput answers what the instance's machine wrote on its console.

CALLDATA_CONSOLE_DIR holds INSTANCE-ID.log files. Without one, moto's sample is answered.
"""

import os

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.responses import EC2Response
from moto.ec2.utils import Base64EncodedString

from .hooks import around

# "the most recent 64 KB", https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
LIMIT = 64 * 1024


@around(EC2Response, "get_console_output")
def get_console_output(original, self):
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    path = os.path.join(os.environ.get("CALLDATA_CONSOLE_DIR", ""), instance.id + ".log")
    try:
        with open(path, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LIMIT))
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return original(self)
    output = Base64EncodedString.from_raw_string(text)
    return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})
