from django.db import migrations, models


def summarize(apps, schema_editor):
    """What Dataset.save() keeps from now on, for the reports that are there."""
    datasets = apps.get_model("datasets", "Dataset").objects
    for pk in datasets.values_list("pk", flat=True):
        report = datasets.values_list("report", flat=True).get(pk=pk) or {}
        classes = report.get("classes") or []
        summary = {"images": report.get("images"), "channels": report.get("channels"), "classes": len(classes)}
        for part in ("train", "validation", "test"):
            summary[part] = sum(int(row.get(part) or 0) for row in classes)
        datasets.filter(pk=pk).update(summary=summary)


class Migration(migrations.Migration):
    dependencies = [("datasets", "0005_ordered_json")]

    operations = [
        migrations.AddField(
            model_name="dataset",
            name="summary",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.RunPython(summarize, migrations.RunPython.noop),
    ]
