"""Whatever goes wrong under a run: nothing lost, nothing half taken for whole, nothing paid twice.

python -m tests.faults --rounds 50 --seed 0            all faults, and their table
python -m tests.faults --rounds 3 --only kill          one of them
"""
