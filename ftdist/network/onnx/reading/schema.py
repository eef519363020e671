"""The messages of ONNX files, as far as they are read: which fields there are, by number and type.

Names, numbers and types are those of onnx.proto, which never change them. The package ``protobuf``
makes readers of them, in a pool of their own. The package ``onnx`` would do the same, but takes
25 MiB of memory more, which a small board lacks.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ftdist.extras import needing

_MESSAGES = {
    "Model": (
        "producer_name:2:string graph:7:Graph opset_import:8:Opset* metadata_props:14:Entry* "
        "functions:25:Function*"
    ),
    "Function": (
        "name:1:string input:4:string* output:5:string* node:7:Node* opset_import:9:Opset* "
        "domain:10:string attribute_proto:11:Attribute* overload:13:string"
    ),
    "Opset": "domain:1:string version:2:int64",
    "Entry": "key:1:string value:2:string",
    "Graph": (
        "node:1:Node* name:2:string initializer:5:Tensor* doc_string:10:string input:11:Value* "
        "output:12:Value* sparse_initializer:15:SparseTensor*"
    ),
    "SparseTensor": "dims:3:int64*",
    "Node": (
        "input:1:string* output:2:string* name:3:string op_type:4:string attribute:5:Attribute* "
        "domain:7:string overload:8:string"
    ),
    "Attribute": (
        "name:1:string f:2:float i:3:int64 s:4:bytes t:5:Tensor g:6:Graph floats:7:float* "
        "ints:8:int64* strings:9:bytes* type:20:int32 ref_attr_name:21:string"
    ),
    "Value": "name:1:string type:2:Type",
    "Type": "tensor_type:1:TensorType",
    "TensorType": "elem_type:1:int32 shape:2:Shape",
    "Shape": "dim:1:Dim*",
    "Dim": "dim_value:1:int64 dim_param:2:string",
    "Tensor": (
        "dims:1:int64* data_type:2:int32 float_data:4:float* int32_data:5:int32* "
        "string_data:6:bytes* int64_data:7:int64* name:8:string raw_data:9:bytes "
        "double_data:10:double* uint64_data:11:uint64* external_data:13:Entry* "
        "data_location:14:int32"
    ),
}
"""NAME:NUMBER:TYPE of each field, * for several."""

FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS = range(1, 9)
"""AttributeProto.AttributeType: what an attribute holds."""

EXTERNAL = 1
"""TensorProto.DataLocation of a constant in another file."""

_PACKAGE = "ftdist.onnx"


@cache
def model_class() -> Any:
    """The class of ModelProto; InputError where protobuf cannot be imported."""
    with needing("reading ONNX", "protobuf", "onnx"):
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    field_class = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="onnx.proto", package=_PACKAGE)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for each in fields.split():
            field, number, kind = each.split(":")
            made = message.field.add(name=field, number=int(number))
            several, kind = kind.endswith("*"), kind.removesuffix("*")
            made.label = field_class.LABEL_REPEATED if several else field_class.LABEL_OPTIONAL
            if kind in _MESSAGES:
                made.type, made.type_name = field_class.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                made.type = getattr(field_class, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Model"))
