"""Public addresses come from a pool in order, so that the machines behind them can really have them.

CALLDATA_EIP_POOL is a network, for example 203.0.113.0/24. Elastic IPs start at its tenth address. The addresses that
instances get by themselves start in the middle.
"""

import ipaddress
import os

import moto.ec2.models.elastic_ip_addresses as elastic
import moto.ec2.models.elastic_network_interfaces as interfaces
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

from .hooks import around, on_reset


class AddressLimitExceeded(EC2ClientError):
    """The pool is used up. AWS gives the same error at its limit of addresses."""

    def __init__(self):
        super().__init__("AddressLimitExceeded", "The maximum number of addresses has been reached.")


class Pool:
    """Addresses in order; one that was given back comes last."""

    def __init__(self, addresses):
        self.addresses = [str(a) for a in addresses]
        self.reset()

    def reset(self):
        self.free = list(self.addresses)

    def take(self):
        if not self.free:
            raise AddressLimitExceeded()
        return self.free.pop(0)

    def give(self, address):
        if address in self.addresses and address not in self.free:
            self.free.append(address)


_network = ipaddress.ip_network(os.environ["CALLDATA_EIP_POOL"])
_size = _network.num_addresses
ELASTIC = Pool(_network[i] for i in range(10, _size // 2))
AUTOMATIC = Pool(_network[i] for i in range(_size // 2, _size - 1))
on_reset(ELASTIC.reset)
on_reset(AUTOMATIC.reset)

# moto picks both at random.
elastic.random_ip = ELASTIC.take
interfaces.random_public_ip = AUTOMATIC.take


@around(elastic.ElasticAddressBackend, "release_address")
def release_address(original, self, address=None, allocation_id=None):
    """A released address can be allocated again."""
    found = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id])
    original(self, address=address, allocation_id=allocation_id)
    ELASTIC.give(found[0].public_ip)


@around(elastic.ElasticAddressBackend, "associate_address")
def associate_address(original, self, instance=None, eni=None, address=None, allocation_id=None, reassociate=False):
    """An address that moves leaves the interface where it was. moto shows it on both."""
    before = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id])
    old = before[0].eni
    result = original(self, instance, eni, address, allocation_id, reassociate)
    if old is not None and old is not result.eni:
        old.public_ip = None
        old.check_auto_public_ip()
    return result


@around(EC2Response, "associate_address")
def associate_address_call(original, self):
    """An address moves unless the caller forbids it: in a VPC AllowReassociation is true by default. moto refuses."""
    if self._get_param("AllowReassociation") is None:
        self.params["AllowReassociation"] = True
    return original(self)


def _forget_automatic(self):
    if self.public_ip_auto_assign and self.public_ip:
        AUTOMATIC.give(self.public_ip)


@around(interfaces.NetworkInterface, "stop")
def stop(original, self):
    """A stopped instance gives its own address back."""
    _forget_automatic(self)
    original(self)


@around(interfaces.NetworkInterface, "delete")
def delete(original, self):
    """So does a deleted interface."""
    _forget_automatic(self)
    original(self)


# An interface without a public address has no association; moto answers an empty one, which the provider, like other
# clients, takes for a public address.
_association = interfaces.NetworkInterface.association.fget
interfaces.NetworkInterface.association = property(lambda self: _association(self) or None)
