"""The inference plane: one stage of a request per module.

    bytes -> authenticate -> decode (wire) -> check -> prepare -> admit -> route -> engine -> reply
          -> encode (wire) -> meter -> bytes

`chat` strings the stages together; `app` is the ASGI face. Stages that later work adds have their
place in that line: screen after check and before encode.
"""
