"""Keys and values of a batch whose rows come and go.

All rows write the same column at a step, so that a row is padded on its left: it began where others were further. A
row that has ended makes room by a copy of the last row, and columns on the left that no row needs any more are dropped.
"""

from typing import Any

from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


def layers_of(config: Any) -> "list[Layer] | None":
    """A layer for each of a model's; None where it keeps something else than keys and values of attention."""
    layers = DynamicCache(config=config).layers
    kinds = {DynamicLayer: None, DynamicSlidingWindowLayer: "sliding_window"}
    if not layers or any(type(layer) not in kinds for layer in layers):
        return None
    if any(kind == "chunked_attention" for kind in getattr(config.get_text_config(), "layer_types", None) or []):
        return None  # a chunk begins at a multiple of its length, which columns do not know
    return [Layer(getattr(layer, "sliding_window", None)) for layer in layers]


class Layer(CacheLayerMixin):  # type: ignore[misc]
    """Of one layer of the model: (rows, heads, columns, head size), of which `first` to `end` are in use."""

    is_croppable = False

    def __init__(self, window: int | None) -> None:
        super().__init__()
        self.window = window
        self.is_sliding = window is not None
        self.first = self.end = self.rows = 0

    def allocate(self, like: Any, values_like: Any, rows: int, columns: int) -> None:
        """Room for `rows` of `columns`, for keys and values shaped as those of a prefill."""
        self.keys = like.new_zeros((rows, like.shape[1], columns, like.shape[3]))
        self.values = values_like.new_zeros((rows, values_like.shape[1], columns, values_like.shape[3]))
        self.is_initialized = True

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        """Not so: the size is known to who makes it."""
        raise NotImplementedError

    def _seen(self) -> int:
        """The first column that the next token looks at."""
        return self.first if self.window is None else max(self.first, self.end + 1 - self.window)

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Write one column, and give back what the token in it looks at."""
        assert self.keys is not None and self.values is not None
        self.keys[: self.rows, :, self.end] = key_states[:, :, 0]
        self.values[: self.rows, :, self.end] = value_states[:, :, 0]
        seen = slice(self._seen(), self.end + 1)
        return self.keys[: self.rows, :, seen], self.values[: self.rows, :, seen]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that the next token looks at, and how many of those in use are before them."""
        return self.end + 1 - self._seen(), self._seen() - self.first

    def get_seq_length(self) -> int:
        """Columns in use before the next token's."""
        return self.end - self.first

    def get_max_length(self) -> int:
        """The longest that a token looks at; -1 for all."""
        return -1 if self.window is None else self.window


class Columns(Cache):  # type: ignore[misc]
    """The layers, and where each row begins."""

    def __init__(self, layers: list[Layer], rows: int, columns: int) -> None:
        super().__init__(layers=layers)
        self.most_rows, self.most_columns = rows, columns
        self.begins: list[int] = []
        """Of each row its first column."""
        self.end = 0
        """The column of the next token."""

    def _tell(self) -> None:
        first = min(self.begins, default=self.end)
        for layer in self.layers:
            layer.first, layer.end, layer.rows = first, self.end, len(self.begins)

    @property
    def first(self) -> int:
        """The first column that any row needs."""
        return min(self.begins, default=self.end)

    def join(self, prefilled: DynamicCache, lengths: list[int]) -> None:
        """Add the rows of a prefill, padded on their left, of `lengths` tokens.

        They end where the others do; a prompt must not be longer than the longest before it.
        """
        if not self.begins:
            self.end = max(lengths)
        at = slice(len(self.begins), len(self.begins) + len(lengths))
        for layer, new in zip(self.layers, prefilled.layers, strict=True):
            if not layer.is_initialized:
                layer.allocate(new.keys, new.values, self.most_rows, self.most_columns)
            kept = new.keys.shape[2]  # a sliding layer has the last ones only, which are all that it needs
            layer.keys[at, :, self.end - kept : self.end] = new.keys
            layer.values[at, :, self.end - kept : self.end] = new.values
        self.begins += [self.end - length for length in lengths]
        self._tell()

    def leave(self, places: list[int]) -> list[int]:
        """Remove rows; the places, in the order before, of those that are left in the order after."""
        order = list(range(len(self.begins)))
        for place in sorted(places, reverse=True):
            last = len(order) - 1
            if place != last:
                for layer in self.layers:
                    for part in (layer.keys, layer.values):
                        part[place, :, self.first : self.end] = part[last, :, self.first : self.end]
                order[place] = order[last]
                self.begins[place] = self.begins[last]
            order.pop()
            self.begins.pop()
        self._tell()
        return order

    def advance(self) -> None:
        """A token was written. Columns are moved to the left where there is no room for another."""
        self.end += 1
        if self.end == self.most_columns:
            first = self.first
            for layer in self.layers:
                for part in (layer.keys, layer.values):
                    part[:, :, : self.end - first] = part[:, :, first : self.end].clone()
            self.begins = [begin - first for begin in self.begins]
            self.end -= first
        self._tell()

    def mask(self, device: Any) -> Any:
        """(rows, columns in use and the next): which columns belong to a row."""
        import torch

        first = self.first
        begins = torch.tensor(self.begins, device=device)
        return torch.arange(first, self.end + 1, device=device)[None, :] >= begins[:, None]

    def positions(self, device: Any) -> Any:
        """(rows, 1): of the next token, counted from the row's beginning."""
        import torch

        return torch.tensor([[self.end - begin] for begin in self.begins], device=device)
