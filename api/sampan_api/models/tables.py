"""meta.k8s.io/v1 Table: objects as rows for people. It has no protobuf form here, hence number 0 everywhere."""

from sampan_api.fields import Int32, Model, Raw, TypedModel, field
from sampan_api.models.meta_v1 import ListMeta


class TableColumnDefinition(Model):
    """One column."""

    name: str = field(0, "Heading.", required=True, always=True)
    type: str = field(0, "OpenAPI type of the cells.", required=True, always=True)
    format: str = field(
        0, "OpenAPI format of the cells; `name` marks the one that identifies.", required=True, always=True
    )
    description: str = field(0, "What the column says.", required=True, always=True)
    priority: Int32 = field(0, "0 is always shown, higher only when there is room.", required=True, always=True)


class TableRowCondition(Model):
    """Something a client may show of a row, such as Completed."""

    type: str = field(0, "Which condition.", required=True, always=True)
    status: str = field(0, "True, False or Unknown.", required=True, always=True)
    reason: str | None = field(0, "One word for programs.")
    message: str | None = field(0, "A sentence for people.")


class TableRow(Model):
    """One object."""

    cells: list[Raw] = field(0, "One value per column.", required=True, always=True, list_type="atomic")
    conditions: list[TableRowCondition] | None = field(0, "What may be shown of the row.", list_type="atomic")
    object: Raw | None = field(0, "The object, its metadata or nothing, as asked for.")


class Table(TypedModel):
    """Objects as rows for people."""

    API_VERSION = "meta.k8s.io/v1"

    metadata: ListMeta | None = field(0, "As of the list.", always=True)
    columnDefinitions: list[TableColumnDefinition] = field(0, "The columns.", required=True, list_type="atomic")
    rows: list[TableRow] = field(0, "The rows.", required=True, list_type="atomic")
