"""The data plane of the protocol: which models there are, and what a request to one becomes."""

from typing import Any

from kserve import ModelRepository
from kserve.protocol.dataplane import DataPlane

from mpm_deploy import __version__
from mpm_deploy.serve.model import ServedModel
from mpm_deploy.serve.places import Places
from mpm_deploy.serve.refusals import RefusedError, Status
from mpm_deploy.support.quoting import shown


class Models(ModelRepository):  # type: ignore[misc]  # kserve has no types
    """The models that a server was started with; no client adds or removes one."""

    def get_model(self, name: str) -> ServedModel:
        """Return a model.

        Raises:
            RefusedError: None has that name.
        """
        model = super().get_model(name)
        if model is None:
            raise RefusedError(
                Status.UNKNOWN,
                f"no model is named {shown(name)} here",
                f"name one of {', '.join(self.get_models())}",
            )
        served: ServedModel = model
        return served


class Plane(DataPlane):  # type: ignore[misc]
    """The data plane: kserve's, which says of itself what this server is."""

    def __init__(self, models: Models, places: Places) -> None:
        super().__init__(models)
        self._places = places

    def metadata(self) -> dict[str, Any]:
        """Return what the protocol tells of a server."""
        return {
            "name": "mpm-deploy",
            "version": __version__,
            "extensions": ["binary_tensor_data"],
        }

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """Return what the protocol tells of a model."""
        return self.model(model_name).metadata()

    async def ready(self) -> bool:
        """Tell whether requests are taken."""
        return not self._places.closed

    def model(self, name: str) -> ServedModel:
        """Return a model.

        Raises:
            RefusedError: None has that name.
        """
        model: ServedModel = self.get_model_from_registry(name)
        return model
