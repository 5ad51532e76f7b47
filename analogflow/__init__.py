"""analogflow: compile continuous-time flows into analog circuits, simulate them, and prove what they compute."""
