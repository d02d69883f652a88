from django.db import migrations, models
from django.db.models import Q


def told_by_names(apps, schema_editor):
    """Those on their way just now: until today a name's ending said what they are for."""
    endings = Q(name__iendswith=".onnx") | Q(name__iendswith=".safetensors") | Q(name__iendswith=".weights")
    apps.get_model("uploads", "Upload").objects.filter(endings).update(purpose="base")


class Migration(migrations.Migration):

    dependencies = [
        ('uploads', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='upload',
            name='purpose',
            field=models.CharField(choices=[('data', 'a data set'), ('base', 'an own network or weights')], default='data', max_length=4),
        ),
        migrations.RunPython(told_by_names, migrations.RunPython.noop),
    ]
