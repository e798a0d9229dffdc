"""`cupola projects`: projects, their members and their keys."""

from datetime import datetime
from typing import Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ProjectOption, ServerOption
from cupola.cli.output import print_fields, print_json, print_table, spell_time

app = typer.Typer(help="Projects: what belongs together, and to whom.", no_args_is_help=True)
members = typer.Typer(help="Who belongs to a project, and as what.", no_args_is_help=True)
keys = typer.Typer(help="Keys for all endpoints of a project.", no_args_is_help=True)
app.add_typer(members, name="members")
app.add_typer(keys, name="keys")

RoleOption = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", help="reader, inference-user, developer or owner."),
]
UserArgument = Annotated[str, typer.Argument(metavar="USER", help="A user's name or id.")]
QuotaOption = Annotated[
    int | None,
    typer.Option("--core-quota", metavar="N", min=0, help="Cores of its managed deployments."),
]
ForEndpoint = Annotated[
    list[str] | None,
    typer.Option("--endpoint", metavar="E", help="Only for this endpoint; may be repeated."),
]
Expiry = Annotated[
    datetime | None,
    typer.Option("--expires", metavar="TIME", help="When it stops working, as 2027-01-31."),
]


@app.command("create")
def create_project(
    name: str,
    display_name: Annotated[str | None, typer.Option(metavar="TEXT", help="For people.")] = None,
    core_quota: QuotaOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Make a project."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        project = client.projects.create(name, display_name=display_name, core_quota=core_quota)
    print_json(project) if json else print(f"The project {project.name} is there.")


@app.command("list")
def list_projects(
    json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """List the projects that you belong to; for administrators, all."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        projects = [*client.projects.list()]
    if json:
        print_json(projects)
        return
    print_table(
        ["NAME", "DISPLAY NAME", "CORE QUOTA", "CREATED"],
        [
            [each.name, each.display_name, _quota(each.core_quota), spell_time(each.created)]
            for each in projects
        ],
    )


@app.command("show")
def show_project(
    name: str, json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """Show one project."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        project = client.projects.get(name)
    if json:
        print_json(project)
        return
    print_fields(
        [
            ("Name", project.name),
            ("Display name", project.display_name or "-"),
            ("Core quota", _quota(project.core_quota)),
            ("Created", spell_time(project.created)),
        ]
    )


@app.command("delete")
def delete_project(
    name: str, json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """Delete a project that has no endpoints any more."""
    from cupola.cli.output import print_done
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        client.projects.delete(name)
    print_done(json, name, "deleted", f"The project {name} is deleted.")


@members.command("add")
def add_member(
    user: UserArgument,
    role: RoleOption,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Let a user into the project, or give them another role."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        member = client.projects.put_member(client.project, user, role)
    print_json(member) if json else print(f"{user} is {member.role} of {client.project}.")


@members.command("remove")
def remove_member(
    user: UserArgument,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Take a user's role in the project away."""
    from cupola.cli.output import print_done
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        client.projects.remove_member(client.project, user)
    print_done(json, user, "removed", f"{user} belongs to {client.project} no more.")


@members.command("list")
def list_members(
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List who belongs to the project."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        found = [*client.projects.list_members(client.project)]
    if json:
        print_json(found)
        return
    print_table(
        ["NAME", "ROLE", "ID"], [[each.name or "-", each.role, each.user] for each in found]
    )


@keys.command("create")
def create_key(
    name: str,
    endpoint: ForEndpoint = None,
    expires: Expiry = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Make a key for the project-wide routes. It is shown now and never again."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        key = client.project_keys.create(
            name, endpoints=endpoint or None, expires=expires.astimezone() if expires else None
        )
    if json:
        print_json(key)
        return
    print_fields([("Name", key.name), ("Id", key.id), ("Key", key.key or "-")])
    print("Keep it: it is not shown again.")


@keys.command("list")
def list_keys(
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the project's keys, without the keys themselves."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        found = [*client.project_keys.list()]
    if json:
        print_json(found)
        return
    print_table(
        ["NAME", "ENDPOINTS", "MADE BY", "EXPIRES", "ID"],
        [
            [
                each.name,
                "all" if each.endpoints is None else ", ".join(each.endpoints),
                each.made_by,
                spell_time(each.expires),
                each.id,
            ]
            for each in found
        ],
    )


@keys.command("delete")
def delete_key(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `projects keys list` shows it.")],
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Revoke a key; it stops working within a second."""
    from cupola.cli.output import print_done
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        client.project_keys.delete(id)
    print_done(json, id, "deleted", f"The key {id} works no more.")


def _quota(cores: int | None) -> str:
    return "default" if cores is None else str(cores)
