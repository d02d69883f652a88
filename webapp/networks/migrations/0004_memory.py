from django.db import migrations, models


def fill(apps, schema_editor):
    """What was measured already stands in the records."""
    networks = apps.get_model("networks", "Network").objects.filter(record__peak_activation_bytes__isnull=False)
    for key, record in networks.values_list("pk", "record").iterator():
        apps.get_model("networks", "Network").objects.filter(pk=key).update(
            peak_activation_bytes=record["peak_activation_bytes"]
        )


class Migration(migrations.Migration):

    dependencies = [
        ('networks', '0003_detectors'),
    ]

    operations = [
        migrations.AddField(
            model_name='network',
            name='peak_activation_bytes',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
