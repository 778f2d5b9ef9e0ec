"""A car of Gymnasium's environment racetrack (pip install gymnasium highway-env): gymnasium_robot.py ADDRESS"""
import sys
import gymnasium
import highway_env
import numpy as np
from takeover_robot import Camera, Robot, Sense, serve
HZ, MOST = 50, np.array([8.0, 0.55])  # steps a second; acceleration, m/s^2, and steering, rad, at an action of 1
ACTION = {"type": "ContinuousAction", "acceleration_range": [-8, 8], "steering_range": [-0.55, 0.55], "speed_range": [0, 20]}
CONFIG = {"action": ACTION, "observation": {"type": "AttributesObservation", "attributes": ["time"]}, "duration": 1e9,
          "simulation_frequency": HZ, "policy_frequency": HZ, "other_vehicles": 0, "terminate_off_road": False,
          "screen_width": 640, "screen_height": 360}
class Racetrack(Robot):
    cameras, map, embodiment = [Camera("front", 640, 360, fps=15)], "racetrack", f"{sys.path[0]}/racetrack_car.toml"
    def __init__(self):
        gymnasium.register_envs(highway_env)
        self.env = gymnasium.make("racetrack-v1", render_mode="rgb_array", config=CONFIG).unwrapped
        self.env.reset(seed=1)
        self.env.vehicle.speed = 0.0
    def sense(self):
        car, (acceleration, steering) = self.env.vehicle, (self.env.vehicle.action[k] for k in ("acceleration", "steering"))
        (x, y), turn = car.position - 2.5 * car.direction, car.speed * np.sin(np.arctan(np.tan(steering) / 2)) / 2.5
        return Sense([car.speed, acceleration, -steering, -turn], pose=(x, -y, -car.heading))  # its y axis points right
    def act(self, action):
        acceleration, steering = max(action[0], -self.env.vehicle.speed * HZ), -action[1]  # brakes do not reverse
        self.env.step(np.clip((acceleration, steering) / MOST, -1, 1))
    def stop(self):
        self.act((-4.0, 0.0))
    def picture(self, camera):
        return self.env.render()
serve(Racetrack(), sys.argv[1], HZ)
