"""Training of all networks. Only the command line imports this package.

* ``stages/``: what is trained, one file a stage (``generator``, ``anchored``, ``superresolution``, ``encoder``,
  ``local``, ``directions``), and ``all_stages``, which runs those of the model on the head mesh in a row. A stage is a
  network that learns, with its batches, losses, metrics and file: the protocol
  :class:`geoinv.training.engine.run.Stage`.
* ``engine/``: how any stage is trained: ``run`` (folder, budget, seed, device), ``loop`` (steps, looks, resuming),
  ``schedule`` (learning rate), ``run_folder`` and ``record`` (what lies on the disk), ``processes`` (torchrun),
  ``devices``, ``background`` (batches ahead of time), ``moving_average``, ``adversarial`` (the discriminator).
* ``data/``: what training looks at: heads in shards or a generator's own samples (``head_source``), portraits, pairs of
  views, and how they are varied.
* ``losses/``: what is compared. They are given numbers such as :class:`geoinv.training.losses.rays.SampleCounts`, never
  the settings of a stage.

Imports go one way: ``stages -> losses -> data``, and ``stages -> engine``. To add a loss, write a term in ``losses/``,
return it from the stage's ``losses`` and give it a weight in the table ``LOSS_WEIGHTS``: one without is an error in the
first step. To add a stage, write a class with the members of ``Stage``, and train it with
:func:`geoinv.training.engine.loop.train`.
"""
