"""What the Terraform AWS provider calls and moto 5.2.1 lacks or answers differently from AWS.

One module per service. Importing it changes moto; `python -m extension` imports all of them and serves.
"""
