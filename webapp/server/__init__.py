"""What runs Eustress: `manage.py up`, its supervisor, the embedded Redis, the health page and the demo."""
