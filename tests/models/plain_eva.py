"""EVA-01 with ViT-Adapter and Mask2Former's head, as plainly as it can be said, full-token.

It has no code of the package. Its parts are torch's own, and called as in the authors' program
(MMSegmentation's EncoderDecoder: `backbone` and `decode_head`), so that its `state_dict` is a
checkpoint of theirs: the truth that reading one is held to.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGE, PATCH, WIDTH, DEPTH, GROUPS = 64, 16, 32, 8, 4
GRID = IMAGE // PATCH
HEADS, MLP, STEM, FFN, POINTS = 2, 48, 4, 8, 4
HEAD_WIDTH, DECODER_HEADS, QUERIES, CLASSES = 64, 4, 5, 7
PIXEL_LAYERS, PIXEL_MLP, LAYERS, DECODER_MLP = 2, 40, 3, 56
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Grids = list[tuple[int, int]]


class Deformable(nn.Module):
    """Multi-scale deformable attention, level by level with `grid_sample`."""

    def __init__(self, width: int, value_width: int, heads: int, levels: int) -> None:
        super().__init__()
        self.heads = heads
        count = heads * levels * POINTS
        self.sampling_offsets = nn.Linear(width, 2 * count)
        self.attention_weights = nn.Linear(width, count)
        self.value_proj = nn.Linear(width, value_width)
        self.output_proj = nn.Linear(value_width, width)

    def forward(self, queries: Tensor, centers: Tensor, cells: Tensor, grids: Grids) -> Tensor:
        images, rows, _ = queries.shape
        shape = (images, rows, self.heads, len(grids), POINTS)
        shares = self.attention_weights(queries).view(*shape[:3], -1).softmax(-1).view(shape)
        offsets = self.sampling_offsets(queries).view(*shape, 2)
        values = self.value_proj(cells).unflatten(2, (self.heads, -1))
        read = 0
        parts = values.split([down * across for down, across in grids], dim=1)
        for level, (grid, part) in enumerate(zip(grids, parts, strict=True)):
            side = torch.tensor([grid[1], grid[0]])
            places = centers[:, None, None] + offsets[:, :, :, level] / side  # (B, Q, heads, P, 2)
            maps = part.permute(0, 2, 3, 1).reshape(images * self.heads, -1, *grid)
            where = places.transpose(1, 2).flatten(0, 1) * 2 - 1
            seen = F.grid_sample(maps, where, align_corners=False)  # (B heads, D, Q, P)
            weight = shares[:, :, :, level].transpose(1, 2).flatten(0, 1)[:, None]
            read = read + (seen * weight).sum(-1)
        return self.output_proj(read.view(images, -1, rows).transpose(1, 2))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.q_bias, self.v_bias = (nn.Parameter(torch.zeros(WIDTH)) for _ in "qv")
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        q, v = q + self.q_bias, v + self.v_bias
        q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in (q, k, v))
        logits = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        return self.proj((logits.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(), norm()
        self.attn = Attention()
        self.mlp = named(fc1=nn.Linear(WIDTH, MLP), fc2=nn.Linear(MLP, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(tokens))))


class Extractor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query_norm, self.feat_norm, self.ffn_norm = norm(), norm(), norm()
        self.attn = Deformable(WIDTH, WIDTH // 2, HEADS, levels=1)
        self.ffn = named(
            fc1=nn.Linear(WIDTH, FFN),
            dwconv=named(dwconv=nn.Conv2d(FFN, FFN, 3, padding=1, groups=FFN)),
            fc2=nn.Linear(FFN, WIDTH),
        )

    def forward(self, cells: Tensor, tokens: Tensor, grids: Grids) -> Tensor:
        queries, values = self.query_norm(cells), self.feat_norm(tokens)
        cells = cells + self.attn(queries, centers_of(grids), values, [(GRID, GRID)])
        levels = as_maps(self.ffn.fc1(self.ffn_norm(cells)), grids)
        hidden = as_cells([self.ffn.dwconv.dwconv(level) for level in levels])
        return cells + self.ffn.fc2(F.gelu(hidden))


class Injector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query_norm, self.feat_norm = norm(), norm()
        self.attn = Deformable(WIDTH, WIDTH // 2, HEADS, levels=3)
        self.gamma = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, tokens: Tensor, cells: Tensor, grids: Grids) -> Tensor:
        queries, values = self.query_norm(tokens), self.feat_norm(cells)
        return tokens + self.gamma * self.attn(queries, centers_of([(GRID, GRID)]), values, grids)


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID**2, WIDTH))
        self.patch_embed = named(proj=nn.Conv2d(3, WIDTH, PATCH, PATCH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.level_embed = nn.Parameter(torch.zeros(3, WIDTH))
        self.spm = spatial_prior()
        self.interactions = nn.ModuleList(
            named(injector=Injector(), extractor=Extractor()) for _ in range(GROUPS)
        )
        self.interactions[-1].extra_extractors = nn.ModuleList(Extractor() for _ in range(2))
        self.up = nn.ConvTranspose2d(WIDTH, WIDTH, 2, 2)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.BatchNorm2d(WIDTH) for _ in range(4))

    def forward(self, images: Tensor) -> list[Tensor]:
        finest, *coarser = self.prior(images)
        grids = [(level.shape[2], level.shape[3]) for level in coarser]
        embedded = zip(coarser, self.level_embed, strict=True)
        cells = as_cells([level + embed[:, None, None] for level, embed in embedded])
        tokens = self.patch_embed.proj(images).flatten(2).transpose(1, 2) + self.pos_embed[:, 1:]
        of_class = self.cls_token.expand(len(images), -1, -1)
        outs = []
        for group, interaction in enumerate(self.interactions):
            tokens = interaction.injector(tokens, cells, grids)
            together = torch.cat([of_class, tokens], dim=1)
            for block in self.blocks[group * DEPTH // GROUPS : (group + 1) * DEPTH // GROUPS]:
                together = block(together)
            of_class, tokens = together[:, :1], together[:, 1:]
            for extractor in (interaction.extractor, *getattr(interaction, "extra_extractors", ())):
                cells = extractor(cells, tokens, grids)
            outs += as_maps(tokens, [(GRID, GRID)])
        eighth, sixteenth, thirty_second = as_maps(cells, grids)
        maps = [finest + self.up(eighth), eighth, sixteenth, thirty_second]
        norms = (self.norm1, self.norm2, self.norm3, self.norm4)
        return [
            norm(level + F.interpolate(out, level.shape[2:], mode="bilinear"))
            for norm, level, out in zip(norms, maps, outs, strict=True)
        ]

    def prior(self, images: Tensor) -> list[Tensor]:
        spm = self.spm
        fourth = spm.stem(images)
        eighth = spm.conv2(fourth)
        sixteenth = spm.conv3(eighth)
        thirty_second = spm.conv4(sixteenth)
        return [spm.fc1(fourth), spm.fc2(eighth), spm.fc3(sixteenth), spm.fc4(thirty_second)]


class Layer(nn.Module):
    """A layer as MMCV builds it: attentions, norms and one feed-forward network."""

    def __init__(self, attentions: list[nn.Module], hidden: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(attentions)
        first = nn.Sequential(nn.Linear(HEAD_WIDTH, hidden), nn.ReLU())
        layers = nn.Sequential(first, nn.Linear(hidden, HEAD_WIDTH))
        self.ffns = nn.ModuleList([named(layers=layers)])
        self.norms = nn.ModuleList(nn.LayerNorm(HEAD_WIDTH) for _ in range(len(attentions) + 1))

    def transform(self, rows: Tensor) -> Tensor:
        return self.norms[-1](rows + self.ffns[0].layers(rows))


class Head(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(HEAD_WIDTH, classes, 1)  # MMSegmentation's, which is never run
        self.pixel_decoder = named(
            input_convs=nn.ModuleList(conv_and_norm(WIDTH, 1, bias=True) for _ in range(3)),
            encoder=named(
                layers=nn.ModuleList(
                    Layer([Deformable(HEAD_WIDTH, HEAD_WIDTH, DECODER_HEADS, levels=3)], PIXEL_MLP)
                    for _ in range(PIXEL_LAYERS)
                )
            ),
            level_encoding=nn.Embedding(3, HEAD_WIDTH),
            lateral_convs=nn.ModuleList([conv_and_norm(WIDTH, 1, bias=False)]),
            output_convs=nn.ModuleList([conv_and_norm(HEAD_WIDTH, 3, bias=False)]),
            mask_feature=nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH, 1),
        )
        self.transformer_decoder = named(
            layers=nn.ModuleList(
                Layer([attention_of_queries() for _ in range(2)], DECODER_MLP)
                for _ in range(LAYERS)
            ),
            post_norm=nn.LayerNorm(HEAD_WIDTH),
        )
        self.query_embed = nn.Embedding(QUERIES, HEAD_WIDTH)
        self.query_feat = nn.Embedding(QUERIES, HEAD_WIDTH)
        self.level_embed = nn.Embedding(3, HEAD_WIDTH)
        self.cls_embed = nn.Linear(HEAD_WIDTH, classes + 1)
        self.mask_embed = nn.Sequential(
            nn.Linear(HEAD_WIDTH, HEAD_WIDTH),
            nn.ReLU(),
            nn.Linear(HEAD_WIDTH, HEAD_WIDTH),
            nn.ReLU(),
            nn.Linear(HEAD_WIDTH, HEAD_WIDTH),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        levels = self.levels(maps)
        pixels = self.pixel_decoder
        lateral = run(pixels.lateral_convs[0], maps[0])
        coarse = F.interpolate(levels[-1], lateral.shape[2:], mode="bilinear")
        features = pixels.mask_feature(run(pixels.output_convs[0], lateral + coarse).relu())
        queries = self.query_feat.weight.expand(len(maps[0]), -1, -1)
        for index, layer in enumerate(self.transformer_decoder.layers):
            level, embed = levels[index % 3], self.level_embed.weight[index % 3]
            queries = self.decode(layer, queries, level, embed, features)
        return self.scores(queries, features)

    def levels(self, maps: list[Tensor]) -> list[Tensor]:
        """The three coarsest maps, coarsest first, once they have read one another."""
        pixels, coarsest_first = self.pixel_decoder, maps[:0:-1]
        grids = [(level.shape[2], level.shape[3]) for level in coarsest_first]
        given = zip(pixels.input_convs, coarsest_first, strict=True)
        cells = as_cells([run(conv, level) for conv, level in given])
        encodings = zip(pixels.level_encoding.weight, grids, strict=True)
        places = torch.cat([embed + positions(grid) for embed, grid in encodings])
        for layer in pixels.encoder.layers:
            read = layer.attentions[0](cells + places, centers_of(grids), cells, grids)
            cells = layer.transform(layer.norms[0](cells + read))
        return as_maps(cells, grids)

    def decode(
        self, layer: Layer, queries: Tensor, level: Tensor, embed: Tensor, features: Tensor
    ) -> Tensor:
        """One layer of queries, which read ``level`` where their mask of all features says."""
        masks = torch.einsum("bqc,bchw->bqhw", self.mask(queries), features)
        outside = F.interpolate(masks, level.shape[2:], mode="bilinear").flatten(2) < 0
        outside = outside & ~outside.all(dim=2, keepdim=True)
        cells = level.flatten(2).transpose(1, 2) + embed
        keys = cells + positions((level.shape[2], level.shape[3]))
        place, (cross, own) = self.query_embed.weight, layer.attentions
        hidden = outside.repeat_interleave(DECODER_HEADS, dim=0)
        read = cross.attn(queries + place, keys, cells, attn_mask=hidden, need_weights=False)[0]
        queries = layer.norms[0](queries + read)
        read = own.attn(queries + place, queries + place, queries, need_weights=False)[0]
        return layer.transform(layer.norms[1](queries + read))

    def mask(self, queries: Tensor) -> Tensor:
        return self.mask_embed(self.transformer_decoder.post_norm(queries))

    def scores(self, queries: Tensor, features: Tensor) -> Tensor:
        logits = self.cls_embed(self.transformer_decoder.post_norm(queries))
        masks = torch.einsum("bqc,bchw->bqhw", self.mask(queries), features).sigmoid()
        return torch.einsum("bqk,bqhw->bkhw", logits.softmax(-1)[:, :, :-1], masks)


class PlainEva(nn.Module):
    """The network, from images ``(B, 3, H, W)`` uint8 to scores ``(B, K, H / 4, W / 4)``."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.backbone, self.decode_head = Backbone(), Head(classes)

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        return self.decode_head(self.backbone((images / 255 - mean) / std))


def random_eva(classes: int = CLASSES) -> PlainEva:
    """The network with numbers of which every one matters."""
    generator = torch.Generator().manual_seed(0)
    model = PlainEva(classes)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.fill_(20_000)
            elif name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            else:
                scale = 0.3 if tensor.dim() < 2 else tensor[0].numel() ** -0.5
                tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
                if tensor.dim() == 1 and name.endswith("weight"):  # a norm's
                    tensor.add_(1)
    return model.eval()


def write_eva(path: Path, classes: int = CLASSES) -> Path:
    """A checkpoint as MMCV's runner saves it."""
    meta = {"epoch": 2, "iter": 20_000, "mmcv_version": "1.4.2", "CLASSES": None, "config": "…"}
    torch.save({"meta": meta, "state_dict": random_eva(classes).state_dict()}, path)
    return path


# ---- parts ----


def named(**parts: nn.Module) -> nn.Module:
    whole = nn.Module()
    for name, part in parts.items():
        whole.add_module(name, part)
    return whole


def norm() -> nn.LayerNorm:
    return nn.LayerNorm(WIDTH, eps=1e-6)


def spatial_prior() -> nn.Module:
    def step(channels: int, width: int, stride: int) -> tuple[nn.Module, ...]:
        conv = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        return conv, nn.BatchNorm2d(width), nn.ReLU()

    same = step(STEM, STEM, 1), step(STEM, STEM, 1)
    pool = nn.MaxPool2d(3, 2, padding=1)
    return named(
        stem=nn.Sequential(*step(3, STEM, 2), *same[0], *same[1], pool),
        conv2=nn.Sequential(*step(STEM, 2 * STEM, 2)),
        conv3=nn.Sequential(*step(2 * STEM, 4 * STEM, 2)),
        conv4=nn.Sequential(*step(4 * STEM, 4 * STEM, 2)),
        fc1=nn.Conv2d(STEM, WIDTH, 1),
        fc2=nn.Conv2d(2 * STEM, WIDTH, 1),
        fc3=nn.Conv2d(4 * STEM, WIDTH, 1),
        fc4=nn.Conv2d(4 * STEM, WIDTH, 1),
    )


def conv_and_norm(channels: int, side: int, *, bias: bool) -> nn.Module:
    conv = nn.Conv2d(channels, HEAD_WIDTH, side, padding=side // 2, bias=bias)
    return named(conv=conv, gn=nn.GroupNorm(32, HEAD_WIDTH))


def run(conv_and_norm: nn.Module, cells: Tensor) -> Tensor:
    normed: Tensor = conv_and_norm.gn(conv_and_norm.conv(cells))
    return normed


def attention_of_queries() -> nn.Module:
    return named(attn=nn.MultiheadAttention(HEAD_WIDTH, DECODER_HEADS, batch_first=True))


def centers_of(grids: Grids) -> Tensor:
    """Where cells lie, x and y from 0 to 1, ``(S, 2)``."""
    places = [
        ((column + 0.5) / across, (row + 0.5) / down)
        for down, across in grids
        for row in range(down)
        for column in range(across)
    ]
    return torch.tensor(places)


def positions(grid: tuple[int, int]) -> Tensor:
    """Sines and cosines of rows, then of columns, ``(h w, C)``."""
    half = HEAD_WIDTH // 2
    slower = 10000 ** (2 * (torch.arange(half) // 2) / half)
    rows = []
    for row in range(grid[0]):
        for column in range(grid[1]):
            turns = ((row + 1) / (grid[0] + 1e-6), (column + 1) / (grid[1] + 1e-6))
            angles = [2 * torch.pi * turn / slower for turn in turns]
            waves = [torch.stack([a[::2].sin(), a[1::2].cos()], dim=1).flatten() for a in angles]
            rows.append(torch.cat(waves))
    return torch.stack(rows)


def as_cells(maps: list[Tensor]) -> Tensor:
    return torch.cat([level.flatten(2) for level in maps], dim=2).transpose(1, 2)


def as_maps(cells: Tensor, grids: Grids) -> list[Tensor]:
    parts = cells.split([down * across for down, across in grids], dim=1)
    return [
        part.transpose(1, 2).unflatten(2, grid) for part, grid in zip(parts, grids, strict=True)
    ]
