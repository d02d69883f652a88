"""Links that were made while their page said that they show pictures, those of detectors, go on doing so."""

from django.db import migrations, models


def keep_what_was_told(apps, schema_editor):
    apps.get_model("sharing", "ShareLink").objects.filter(run__dataset__task="detection").update(shows_images=True)


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0001_initial'),
        ('sharing', '0002_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='sharelink',
            name='shows_images',
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(keep_what_was_told, migrations.RunPython.noop),
    ]
