"""What the machine is to AWS."""


def session():
    """A session with the credentials of the machine's role. A client made without them never gets any, so that none is made before they are there."""
    import boto3
    from botocore.exceptions import NoCredentialsError

    made = boto3.session.Session()
    if made.get_credentials() is None:
        raise NoCredentialsError
    return made
