"""With Lightning: a layer in a LightningModule, batches from a task."""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import cellwright as cw

TASK = cw.tasks.Adding(steps=10)


class Batches(IterableDataset):
    """Batches of sequences that never come again."""

    def __iter__(self):
        for _ in range(300):
            drawn = TASK.draw(64)
            yield drawn.x, drawn.target


class Adder(lightning.LightningModule):
    """Adds two marked numbers."""

    def __init__(self):
        super().__init__()
        self.model = cw.train.Readout.of("lstm", 2, 16, 1, forget_bias=3.0)
        self.losses = []

    def training_step(self, batch):
        """Return the loss of a batch."""
        x, target = batch
        loss = nn.functional.mse_loss(self.model(x), target)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        """Return what changes the weights."""
        return torch.optim.Adam(self.parameters(), lr=1e-2)


lightning.seed_everything(0, verbose=False)
adder = Adder()
trainer = lightning.Trainer(
    max_epochs=1,
    accelerator="cpu",
    gradient_clip_val=1.0,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(adder, DataLoader(Batches(), batch_size=None))
print(f"loss {adder.losses[0]:.4f} -> {adder.losses[-1]:.4f}")
