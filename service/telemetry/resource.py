"""Says who the spans are from: the service's name and attributes, as the standard OTEL_* variables say."""

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from anabranch.service.telemetry.names import WORKFLOW


def service_resource() -> Resource:
    """OTEL_SERVICE_NAME, or else `service.name` in OTEL_RESOURCE_ATTRIBUTES, names the service; without it, we do."""
    return Resource({"service.name": WORKFLOW}).merge(OTELResourceDetector().detect())
