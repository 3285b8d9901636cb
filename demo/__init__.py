"""The main job on a real control plane: `python -m demo`. Agents and coordinator are the real ones, hosts are trees."""
