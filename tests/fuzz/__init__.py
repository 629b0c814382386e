"""A fuzzer over every file that a user can give: the right result or one named error, and nothing else.

python -m tests.fuzz --seconds 60 --seed 0
"""
